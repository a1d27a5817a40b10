import type { Call } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type EndedCall = Omit<Call, "business_id" | "created_at">;

/**
 * Records a call that ended; returns whether a row was written. A repetition changes nothing, except that a real
 * outcome replaces an assumed "lost".
 */
export async function recordCall(scope: BusinessScope, call: EndedCall): Promise<boolean> {
  const written = await scope.run(
    (sql) => sql`
      insert into calls (call_sid, business_id, direction, from_number, to_number, status, streams, transferred_to,
                         started_at, answered_at, ended_at, duration_s)
      select ${call.call_sid}, id, ${call.direction}, ${call.from_number}, ${call.to_number}, ${call.status},
             ${call.streams}::integer, ${call.transferred_to}, ${call.started_at}, ${call.answered_at},
               ${call.ended_at}, ${call.duration_s}::integer
      from businesses where id = ${scope.businessId}
      on conflict (call_sid) do update
        set status = excluded.status, streams = excluded.streams, transferred_to = excluded.transferred_to,
            answered_at = excluded.answered_at, ended_at = excluded.ended_at, duration_s = excluded.duration_s
        where calls.status = 'lost' and excluded.status <> 'lost' and calls.business_id = excluded.business_id`,
  );
  return written.count > 0;
}
