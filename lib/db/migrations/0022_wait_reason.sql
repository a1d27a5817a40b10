-- A queued message that waits says for what:
--   pacing     the account's sending pace; due at next_attempt_at
--   upload     the upload of its file; due when it ends, or at next_attempt_at
--   retry      the back-off after a failed attempt (error_code says which error); due at next_attempt_at
--   broadcast  its broadcast, which is paused, cancelled or in quiet hours; no time is set
-- Null: it is due, or was written by a process of an earlier version.
alter table messages add column wait_reason text;

-- Constraints are not validated, because that would read every message under an exclusive lock.
alter table messages add constraint messages_wait_reason_is_known
  check (wait_reason in ('pacing', 'upload', 'retry', 'broadcast')) not valid;

-- A message that waits for its broadcast has no next attempt.
alter table messages drop constraint messages_queued_has_next_attempt;
alter table messages add constraint messages_queued_has_next_attempt check (
  case
    when status = 'queued' then next_attempt_at is not null or wait_reason is not distinct from 'broadcast'
    else next_attempt_at is null
  end) not valid;

-- Before, the first two were codes of errors, and a message that waited for its broadcast had an attempt in the year 9999.
with waiting as (
  -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
  select id from messages
  where status = 'queued' and (next_attempt_at >= '9999-01-01' or next_attempt_at > now() or error_code in ('paced', 'media_pending'))
  order by id for update
)
update messages m
set wait_reason = case
      when next_attempt_at >= '9999-01-01' then 'broadcast'
      when error_code = 'paced' then 'pacing'
      when error_code = 'media_pending' then 'upload'
      when attempts > 0 then 'retry'
    end,
    next_attempt_at = case when next_attempt_at < '9999-01-01' then next_attempt_at end,
    error_code = case when error_code not in ('paced', 'media_pending') then error_code end
from waiting where m.id = waiting.id;
