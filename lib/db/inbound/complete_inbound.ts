import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";
import type { IdentifiedMessage } from "./assign_ids.ts";

/**
 * Writes the content of messages to their rows, which were stored as unavailable or unknown; returns the ids of those
 * that changed. Text that an edit set in between stays.
 */
export async function completeInbound(scope: PlatformScope, messages: readonly IdentifiedMessage[]): Promise<string[]> {
  if (messages.length === 0) return [];
  const rows = await scope.ask<{ id: string }[]>(sql`
    with locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select m.id, r.type, r.text, r.content, r.push_name
      from jsonb_to_recordset(${toJson(messages)}::jsonb)
        as r(id uuid, business_id uuid, type text, text text, content jsonb, push_name text)
      join messages m on m.id = r.id and m.business_id = r.business_id
      where m.type in ('unavailable', 'unknown') and r.type not in ('unavailable', 'unknown')
      order by m.id for update of m
    )
    update messages m
    set type = locked.type,
        text = case when m.edited_at is null then locked.text else m.text end,
        content = locked.content,
        push_name = coalesce(m.push_name, locked.push_name)
    from locked where m.id = locked.id
    returning m.id`);
  return rows.map(({ id }) => id);
}
