-- Records a JSON array of outcomes (record_send_results.ts). caller_time: the caller's clock. A function, because a
-- connection keeps the plan of its query: planning it takes as long as running it.
create or replace function record_send_results(business uuid, outcomes jsonb, caller_time timestamptz)
  returns table (id uuid, business_id uuid, chat text, before text, status text, sent_at timestamptz,
                 delivered_at timestamptz, read_at timestamptz, played_at timestamptz, failed_at timestamptz,
                 error_code text, error_message text)
  language plpgsql volatile
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off -- or a plan made for an empty partition would scan it until Postgres analyzes it
as $$
#variable_conflict use_column
begin
  return query
  with result as (
    select *, status in ('retry', 'paced') as waits from jsonb_to_recordset(outcomes)
      as r(id uuid, status text, at timestamptz, next_attempt_at timestamptz, wait_reason text, error_code text,
           error_message text, recipients integer)
  ), locked as (
    -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
    select m.id, m.status as before from messages m join result using (id)
    where m.business_id = business order by m.id for update of m
  )
  update messages m
  set status = case
        when not r.waits and message_status_rank(r.status) > message_status_rank(m.status) then r.status
        else m.status
      end,
      attempts = m.attempts + case when r.status = 'paced' then 0 else 1 end,
      next_attempt_at = case
        when r.waits and m.status = 'queued' and m.wait_reason is distinct from 'broadcast'
        then greatest(m.next_attempt_at, now() + (r.next_attempt_at - caller_time))
      end,
      wait_reason = case
        when not r.waits or m.status <> 'queued' then null
        when m.wait_reason = 'broadcast' then 'broadcast'
        when r.status = 'retry' then 'retry'
        else coalesce(r.wait_reason, 'pacing')
      end,
      group_recipients = coalesce(m.group_recipients, r.recipients),
      sent_at = case when r.status = 'sent' then least(m.sent_at, r.at) else m.sent_at end,
      failed_at = case when r.status = 'failed' then least(m.failed_at, r.at) else m.failed_at end,
      error_code = coalesce(r.error_code, m.error_code),
      error_message = coalesce(r.error_message, m.error_message)
  from result r join locked using (id)
  where m.id = r.id
  returning m.id, m.business_id, m.chat, locked.before, m.status, m.sent_at, m.delivered_at, m.read_at,
            m.played_at, m.failed_at, m.error_code, m.error_message;
end
$$;
