import { changedState } from "../../messages/index.ts";
import type { MessageContent } from "../../messages/index.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { Scope } from "../scope.ts";

/** A message that changes another one: an edit, a deletion or a reaction. */
export type StateChange = {
  business_id: string;
  target_id: string;
  content: MessageContent;
  /** Null for the business. */
  sender: string | null;
  at: Date;
};

type Changeable = Pick<
  Message,
  "id" | "business_id" | "type" | "text" | "content" | "edited_at" | "deleted_at" | "edits" | "reactions"
>;

/**
 * Applies changes to the messages that they are about, in order; the caller has checked that their authors may make
 * them. Idempotent. Many changes of one message cost one update. Hand-written SQL: the new states are computed in
 * TypeScript (lib/messages/state.ts), while the rows are locked.
 */
export async function changeStates(scope: Scope, changes: readonly StateChange[]): Promise<void> {
  if (changes.length === 0) return;
  const targets = changes.map(({ business_id, target_id }) => ({ business_id, id: target_id }));
  // In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
  const rows = await scope.ask<Changeable[]>(sql`
    select m.id, m.business_id, m.type, m.text, m.content, m.edited_at, m.deleted_at, m.edits, m.reactions
    from messages m
    where (m.business_id, m.id) in (
      select r.business_id, r.id from jsonb_to_recordset(${toJson(targets)}::jsonb) as r(business_id uuid, id uuid))
    order by m.id for update`);
  const changed = rows.flatMap((row) => {
    const own = changes.filter(({ target_id, business_id }) => target_id === row.id && business_id === row.business_id);
    const state = own.reduce(changedState<Changeable>, row);
    return state === row ? [] : [state];
  });
  if (changed.length === 0) return;
  await scope.ask(sql`
    update messages m
    set text = r.text, content = r.content, edited_at = r.edited_at, deleted_at = r.deleted_at, edits = r.edits,
        reactions = r.reactions
    from jsonb_to_recordset(${toJson(changed)}::jsonb)
      as r(id uuid, business_id uuid, text text, content jsonb, edited_at timestamptz, deleted_at timestamptz,
        edits jsonb, reactions jsonb)
    where m.id = r.id and m.business_id = r.business_id`);
}
