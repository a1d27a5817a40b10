import { sharedDate } from "../../core/time.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** The result of one attempt. */
export type DeliveryOutcome = {
  id: string;
  at: Date;
  duration_ms: number;
  /** The HTTP status of the answer; null: no answer. */
  http_status: number | null;
  error: string | null;
} & ({ status: "delivered" } | { status: "dead" } | { status: "pending"; next_attempt_at: Date });

/** Records attempts in one statement. A delivery that was replayed or discarded since is left unchanged. */
export async function recordDeliveries(scope: PlatformScope, outcomes: readonly DeliveryOutcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  await scope.ask(sql`
    with outcome as (
      select * from jsonb_to_recordset(${toJson(outcomes)}::jsonb)
        as r(id uuid, status text, at timestamptz, duration_ms integer, http_status integer, error text,
          next_attempt_at timestamptz)
    ), locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select d.id from webhook_deliveries d join outcome using (id)
      where d.status = 'pending' order by d.id for update of d
    )
    update webhook_deliveries d
    set status = r.status, attempts = d.attempts + 1,
        -- Measured by the caller's clock and added to Postgres' clock, because the two may differ.
        next_attempt_at = now() + (r.next_attempt_at - ${sharedDate()}::timestamptz),
        delivered_at = case when r.status = 'delivered' then r.at end,
        last_attempt_at = r.at, last_duration_ms = r.duration_ms, last_status = r.http_status, last_error = r.error
    from outcome r join locked using (id)
    where d.id = r.id`);
}
