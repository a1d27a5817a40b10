import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { PlatformScope } from "../scope.ts";
import { changeFromJson } from "./status_change.ts";
import type { StatusChange } from "./status_change.ts";

/** A receipt of one member of a group. */
export type GroupReceipt = {
  business_id: string;
  wa_message_id: string;
  /** JID of the member, always in the same form within a group. */
  member: string;
  status: "delivered" | "read";
  at: Date;
  /** The members that the message was sent to, if known. */
  recipients: number | null;
};

/**
 * Counts the receipts of group members. A group message is delivered, or read, once every member that it was sent to
 * has reported so. Idempotent and commutative like `applyReceipts`: of each member the earliest time counts.
 */
export async function applyGroupReceipts(scope: PlatformScope, receipts: GroupReceipt[]): Promise<StatusChange[]> {
  if (receipts.length === 0) return [];
  return atomically(scope, async (inside) => {
    // Locked first and in order of id, so that a count includes all receipts that were written before.
    const messages = await inside.ask<{ id: string; business_id: string; wa_message_id: string }[]>(sql`
      select m.id, m.business_id, m.wa_message_id
      from messages m
      where (m.business_id, m.wa_message_id) in (
          select business_id, wa_message_id
          from jsonb_to_recordset(${toJson(receipts)}::jsonb) as r(business_id uuid, wa_message_id text))
        and m.direction = 'outbound'
      order by m.id for update of m`);
    if (messages.length === 0) return [];
    await inside.ask(sql`
      insert into group_receipts as known (message_id, member, delivered_at, read_at)
      select m.id, r.member, min(r.at), min(r.at) filter (where r.status = 'read')
      from jsonb_to_recordset(${toJson(receipts)}::jsonb)
        as r(business_id uuid, wa_message_id text, member text, status text, at timestamptz(3))
      join jsonb_to_recordset(${toJson(messages)}::jsonb) as m(id uuid, business_id uuid, wa_message_id text)
        using (business_id, wa_message_id)
      group by m.id, r.member
      order by m.id, r.member
      on conflict (message_id, member) do update
        set delivered_at = least(known.delivered_at, excluded.delivered_at),
            read_at = least(known.read_at, excluded.read_at)`);
    const rows = await inside.ask<{ changed: Parameters<typeof changeFromJson>[0] }[]>(sql`
      with counted as (
        select message_id, count(*)::integer as delivered, count(read_at)::integer as read,
               max(delivered_at) as last_delivered_at, max(read_at) as last_read_at
        from group_receipts
        where message_id = any (select id from jsonb_to_recordset(${toJson(messages)}::jsonb) as m(id uuid))
        group by message_id
      ), reported as (
        select m.id, max(r.recipients) as recipients
        from jsonb_to_recordset(${toJson(receipts)}::jsonb)
          as r(business_id uuid, wa_message_id text, recipients integer)
        join jsonb_to_recordset(${toJson(messages)}::jsonb) as m(id uuid, business_id uuid, wa_message_id text)
          using (business_id, wa_message_id)
        group by m.id
      ), reached as (
        select m.id, m.status as before, coalesce(m.group_recipients, p.recipients) as recipients, c.*,
               case
                 when c.read >= coalesce(m.group_recipients, p.recipients) then 'read'
                 when c.delivered >= coalesce(m.group_recipients, p.recipients) then 'delivered'
                 else 'sent'
               end as status
        from messages m join reported p using (id) join counted c on c.message_id = m.id
      )
      update messages m
      set group_recipients = e.recipients,
          group_delivered = e.delivered,
          group_read = e.read,
          status = case
            when message_status_rank(e.status) > message_status_rank(m.status) then e.status else m.status
          end,
          next_attempt_at = null,
          wait_reason = null,
          sent_at = coalesce(m.sent_at, e.last_delivered_at),
          delivered_at = case
            when e.status in ('delivered', 'read') then coalesce(m.delivered_at, e.last_delivered_at)
            else m.delivered_at
          end,
          read_at = case when e.status = 'read' then coalesce(m.read_at, e.last_read_at) else m.read_at end
      from reached e
      where m.id = e.id
      returning to_jsonb((select change from (
        select m.id, m.business_id, m.chat, e.before, m.status, m.sent_at, m.delivered_at, m.read_at, m.played_at,
               m.failed_at, m.error_code, m.error_message, m.trace) as change)) as changed`);
    return rows.map(({ changed }) => changeFromJson(changed)).filter(({ before, status }) => before !== status);
  });
}
