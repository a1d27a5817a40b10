import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { Business } from "./schema.ts";
import type { BusinessChanges } from "./update_business.ts";

export async function insertBusiness(
  scope: PlatformScope,
  { id, name, time_zone, receive_statuses, device_name }: Pick<Business, "id" | "name" | "time_zone"> & BusinessChanges,
): Promise<Business> {
  const [inserted] = await fetchRows(
    scope,
    query.insert(businesses).values({ id, name, time_zone, receive_statuses, device_name }).returning(),
  );
  return inserted!;
}
