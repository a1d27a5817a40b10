import { after } from "../../broadcasts/status.ts";
import type { BroadcastVerb } from "../../broadcasts/status.ts";
import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { Broadcast } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { holdBroadcast } from "./hold.ts";

export type BroadcastTransition = {
  /** refused: its status does not allow the verb · empty: it has no recipients */
  outcome: "changed" | "unchanged" | "refused" | "empty";
  broadcast: Broadcast;
};

/**
 * Starts, pauses, resumes or cancels a broadcast; undefined if it does not exist. A pause and a cancellation hold its
 * queued messages: no shard receives them. After a resumption the next run releases them, outside its quiet hours.
 */
export function changeBroadcastStatus(
  scope: BusinessScope,
  id: string,
  verb: BroadcastVerb,
): Promise<BroadcastTransition | undefined> {
  return atomically(scope, async (inner) => {
    const [present] = await inner.ask<Broadcast[]>(
      sql`select * from broadcasts where id = ${id} and business_id = ${scope.businessId} for update`,
    );
    if (present === undefined) return undefined;
    const status = after(verb, present.status);
    if (status === undefined) return { outcome: "refused", broadcast: present };
    if (status === present.status) return { outcome: "unchanged", broadcast: present };
    if (verb === "start" && !(await hasRecipients(inner, id))) return { outcome: "empty", broadcast: present };
    if (verb === "pause" || verb === "cancel") await holdBroadcast(inner, id);
    const [changed] = await inner.ask<[Broadcast]>(sql`
      update broadcasts
      set status = ${status}, updated_at = now(), ended_at = ${status === "cancelled" ? sql`now()` : sql`null`}
      where id = ${id}
      returning *`);
    return { outcome: "changed", broadcast: changed };
  });
}

async function hasRecipients(scope: BusinessScope, id: string): Promise<boolean> {
  const [row] = await scope.ask<[{ any: boolean }]>(
    sql`select exists (select from broadcast_recipients where broadcast_id = ${id}) as any`,
  );
  return row.any;
}
