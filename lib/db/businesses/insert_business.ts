import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { Business } from "./schema.ts";

export async function insertBusiness(
  scope: PlatformScope,
  { id, name, time_zone }: Pick<Business, "id" | "name" | "time_zone">,
): Promise<Business> {
  const [inserted] = await fetchRows(scope, query.insert(businesses).values({ id, name, time_zone }).returning());
  return inserted!;
}
