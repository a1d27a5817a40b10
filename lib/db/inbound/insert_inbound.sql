-- Inserts a JSON array of inbound messages (insert_inbound.ts); returns the new ones in order of id. A function,
-- because a connection keeps the plan of its query.
create or replace function insert_inbound(rows jsonb)
  returns table (id uuid, business_id uuid, direction text, chat text)
  language plpgsql volatile
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off -- or a plan made for an empty partition would scan it until Postgres analyzes it
as $$
#variable_conflict use_column
begin
  return query
  insert into messages
    (id, business_id, direction, chat, sender, push_name, type, text, content, wa_message_id, status, queued_at,
     sent_at, delivered_at)
  select r.id, r.business_id, case when r.from_me then 'outbound' else 'inbound' end, r.chat, r.sender, r.push_name,
         r.type, r.text, r.content, r.wa_message_id, case when r.from_me then 'sent' else 'delivered' end,
         now(), r.at, case when r.from_me then null else now() end
  from jsonb_to_recordset(rows)
    as r(id uuid, business_id uuid, wa_message_id text, chat text, sender text, from_me boolean, push_name text,
         at timestamptz, type text, text text, content jsonb)
  join businesses b on b.id = r.business_id and b.deleted_at is null
  where not (r.from_me and exists (
    select from messages own
    where own.business_id = r.business_id and own.wa_message_id = r.wa_message_id and own.direction = 'outbound'
  ))
  -- After a move two shards may report the same messages: one order, so that their writers never deadlock.
  order by r.id
  on conflict on constraint messages_pkey do nothing
  returning id, business_id, direction, chat;
end
$$;
