import { sql } from "../client/literal.ts";
import type { Broadcast } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type NewBroadcast = Pick<
  Broadcast,
  "id" | "name" | "text" | "scheduled_at" | "quiet_from" | "quiet_to" | "per_minute"
> & {
  /** Null: the business's time zone. */
  time_zone: string | null;
};

/**
 * Inserts a draft; undefined if the business does not exist. Hand-written SQL: one statement inserts only if the
 * business exists, with its time zone as the default.
 */
export async function insertBroadcast(scope: BusinessScope, broadcast: NewBroadcast): Promise<Broadcast | undefined> {
  const { id, name, text, time_zone, scheduled_at, quiet_from, quiet_to, per_minute } = broadcast;
  const [inserted] = await scope.ask<Broadcast[]>(sql`
    insert into broadcasts (id, business_id, name, text, status, time_zone, scheduled_at, quiet_from, quiet_to,
      per_minute)
    select ${id}::uuid, b.id, ${name}, ${text}, 'draft', coalesce(${time_zone}, b.time_zone),
      ${scheduled_at}::timestamptz, ${quiet_from}, ${quiet_to},
           ${per_minute}::integer
    from businesses b where b.id = ${scope.businessId} and b.deleted_at is null
    returning *`);
  return inserted;
}
