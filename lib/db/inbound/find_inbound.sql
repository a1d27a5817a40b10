-- Looks up a JSON array of inbound messages (assign_ids.ts): of each, its stored row, also under another name of its
-- chat and sender or at another time, and the latest row of its chat in its second. A function, because a connection
-- keeps the plan of its query: planning it takes longer than running it for a few messages.
-- max_read: rows read of one WhatsApp id under other names, outside the message's second.
create or replace function find_inbound(rows jsonb, max_read integer)
  returns table (n integer, known jsonb, latest uuid)
  language plpgsql stable
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off -- or a plan made for an empty partition would scan it until Postgres analyzes it
as $$
#variable_conflict use_column
begin
  return query
  select r.n,
         coalesce((
           select jsonb_build_object('id', m.id, 'type', m.type, 'sent_at', m.sent_at) from messages m
           where m.business_id = r.business_id and m.wa_message_id = r.wa_message_id
             and m.id >= r.from_id and m.id < r.to_id
             and (m.chat = r.chat or exists (
               select from chat_aliases a where a.business_id = r.business_id and a.alias = m.chat and a.chat = r.chat))
             and (m.sender = r.sender or exists (
               select from chat_aliases a
               where a.business_id = r.business_id and a.alias = m.sender and a.chat = r.sender))
           limit 1
         ), (
           select jsonb_build_object('id', m.id, 'type', m.type, 'sent_at', m.sent_at) from messages m
           where m.business_id = r.business_id and m.wa_message_id = r.wa_message_id
             and m.chat = r.chat and m.sender = r.sender and m.id >= r.earliest_id and m.id < r.latest_id
           order by m.id limit 1
         ), (
           select jsonb_build_object('id', m.id, 'type', m.type, 'sent_at', m.sent_at)
           from (
             select id, type, sent_at, chat, sender from messages
             where business_id = r.business_id and wa_message_id = r.wa_message_id
               and id >= r.earliest_id and id < r.latest_id
             order by id limit max_read
           ) m
           where (m.chat = r.chat or exists (
               select from chat_aliases a where a.business_id = r.business_id and a.alias = m.chat and a.chat = r.chat))
             and (m.sender = r.sender or exists (
               select from chat_aliases a
               where a.business_id = r.business_id and a.alias = m.sender and a.chat = r.sender))
           order by m.id limit 1
         )),
         (select m.id from messages m
          where m.business_id = r.business_id and m.chat = r.chat and m.id >= r.from_id and m.id < r.to_id
          order by m.id desc limit 1)
  from jsonb_to_recordset(rows)
    as r(n integer, business_id uuid, chat text, sender text, wa_message_id text, from_id uuid, to_id uuid,
         earliest_id uuid, latest_id uuid);
end
$$;
