-- Texts of broadcasts are bounded where a recipient is added, where it is released, and here.

-- Length of the rendered text. Null for those added before it was recorded: the release checks them.
alter table broadcast_recipients add column text_length integer check (text_length between 1 and 65536);

-- An earlier version may have rendered more.
update messages
set status = 'failed', failed_at = now(), next_attempt_at = null, text = null, error_code = 'text_too_long',
    error_message = 'The text has more than 65536 characters with this recipient''s fields.'
where status = 'queued' and broadcast_id is not null and char_length(text) > 65536;

-- For the outbox alone: sent messages stay as they were. Not validated, because that would read every message.
alter table messages add constraint messages_broadcast_text_is_bounded
  check (broadcast_id is null or status <> 'queued' or char_length(text) <= 65536) not valid;
