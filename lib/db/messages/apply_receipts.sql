-- Applies a JSON array of receipts (apply_receipts.ts); returns the number of receipts without a message, and the
-- changed messages. A function, because a connection keeps the plan of its query.
create or replace function apply_receipts(receipts jsonb) returns table (unknown integer, changed jsonb)
  language plpgsql volatile
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off -- or a plan made for an empty partition would scan it until Postgres analyzes it
as $$
#variable_conflict use_column
begin
  return query
  with receipt as (
    select business_id, wa_message_id,
           (array_agg(status order by message_status_rank(status) desc))[1] as status,
           min(at) filter (where status <> 'failed') as sent_at,
           min(at) filter (where status in ('delivered', 'read', 'played')) as delivered_at,
           min(at) filter (where status in ('read', 'played')) as read_at,
           min(at) filter (where status = 'played') as played_at,
           min(at) filter (where status = 'failed') as failed_at,
           (array_agg(error_code order by at) filter (where status = 'failed'))[1] as error_code,
           (array_agg(error_message order by at) filter (where status = 'failed'))[1] as error_message
    from jsonb_to_recordset(receipts)
      as r(business_id uuid, wa_message_id text, status text, at timestamptz(3), error_code text,
        error_message text)
    group by business_id, wa_message_id
  ), locked as (
    -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
    select m.id, m.business_id, m.wa_message_id, m.status as before
    from messages m join receipt using (business_id, wa_message_id)
    where m.direction = 'outbound'
    order by m.id for update of m
  ), changed as (
    update messages m
    set status = case when message_status_rank(r.status) > message_status_rank(m.status) then r.status
      else m.status end,
        next_attempt_at = null,
        wait_reason = null,
        sent_at = least(m.sent_at, r.sent_at),
        delivered_at = least(m.delivered_at, r.delivered_at),
        read_at = least(m.read_at, r.read_at),
        played_at = least(m.played_at, r.played_at),
        failed_at = least(m.failed_at, r.failed_at),
        error_code = case when r.failed_at < coalesce(m.failed_at, 'infinity')
          then coalesce(r.error_code, 'unknown') else m.error_code end,
        error_message = case when r.failed_at < coalesce(m.failed_at, 'infinity') then r.error_message
          else m.error_message end
    from locked join receipt r using (business_id, wa_message_id)
    where m.id = locked.id
      and (message_status_rank(r.status) > message_status_rank(m.status)
        or r.sent_at < coalesce(m.sent_at, 'infinity')
        or r.delivered_at < coalesce(m.delivered_at, 'infinity')
        or r.read_at < coalesce(m.read_at, 'infinity')
        or r.played_at < coalesce(m.played_at, 'infinity')
        or r.failed_at < coalesce(m.failed_at, 'infinity'))
    returning m.id, m.business_id, m.chat, locked.before, m.status, m.sent_at, m.delivered_at, m.read_at,
      m.played_at, m.failed_at, m.error_code, m.error_message, m.trace
  )
  select (select count(*)::integer from receipt) - (select count(*)::integer from locked) as unknown,
         coalesce((select jsonb_agg(to_jsonb(changed)) from changed), '[]') as changed;
end
$$;
