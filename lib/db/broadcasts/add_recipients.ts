import { toJson } from "../client/json.ts";
import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

export type NewRecipient = {
  chat: string;
  fields: Record<string, string>;
  /** Length of the rendered text; the table bounds it. */
  text_length: number;
};

/**
 * Adds recipients to a draft in their order, each account once; returns how many were new, or undefined if the
 * broadcast is no longer a draft. Idempotent.
 */
export async function addRecipients(
  scope: BusinessScope,
  broadcastId: string,
  recipients: readonly NewRecipient[],
): Promise<number | undefined> {
  const [row] = await scope.ask<[{ draft: boolean; added: number }]>(sql`
    with draft as (
      -- Shared, so that a start waits for the running insert.
      select id from broadcasts where id = ${broadcastId} and business_id = ${scope.businessId}
        and status = 'draft' for share
    ), added as (
      insert into broadcast_recipients (broadcast_id, business_id, chat, fields, text_length)
      select draft.id, ${scope.businessId}::uuid, ${chatNamed(sql`${scope.businessId}::uuid`, sql`r.chat`)}, r.fields,
        r.text_length
      from draft, jsonb_to_recordset(${toJson(recipients.map((recipient, n) => ({ n, ...recipient })))}::jsonb)
        as r(n integer, chat text, fields jsonb, text_length integer)
      order by r.n
      on conflict do nothing
      returning chat
    )
    select exists (select from draft) as draft, (select count(*)::integer from added) as added`);
  return row.draft ? row.added : undefined;
}
