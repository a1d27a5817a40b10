-- Ranks the statuses of a message: a later receipt never lowers a status (messageStatuses in schema.ts).
create or replace function message_status_rank(status text) returns integer
  language sql immutable strict parallel safe
  as $$ select array_position(array['queued', 'sent', 'failed', 'delivered', 'read', 'played'], status) $$;
