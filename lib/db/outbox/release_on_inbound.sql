-- Makes the paced messages of a JSON array of chats due (release_on_inbound.ts); returns the outboxes that have
-- something to send now. A function, because a connection keeps the plan of its query: it usually finds nothing.
create or replace function release_on_inbound(chats jsonb) returns table (business_id uuid, of_broadcasts boolean)
  language plpgsql volatile
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off -- or a plan made for an empty partition would scan it until Postgres analyzes it
as $$
#variable_conflict use_column
begin
  return query
  with locked as (
    -- The condition is isPaced in paced.ts; the new time, dueNow in due_now.ts.
    -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
    select m.id from messages m
    where (m.business_id, m.chat) in (
        select r.business_id, r.chat from jsonb_to_recordset(chats) as r(business_id uuid, chat text))
      and m.status = 'queued' and m.wait_reason = 'pacing' and m.next_attempt_at > now()
      and m.next_attempt_at < now() + interval '100 years'
    order by m.id for update
  ), released as (
    update messages m set next_attempt_at = date_trunc('milliseconds', now()), wait_reason = null
    from locked where m.id = locked.id returning m.business_id, m.broadcast_id
  )
  select distinct r.business_id, r.broadcast_id is not null from released r;
end
$$;
