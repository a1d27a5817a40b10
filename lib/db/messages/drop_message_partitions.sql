-- Drops the partitions of messages that are `months` and more whole months old; returns their names. Never drops one
-- that is younger than three months, whatever the argument.
create or replace function drop_message_partitions(months integer) returns setof text
  language plpgsql security definer
  set search_path = public, pg_temp
  set lock_timeout = '1s'
as $$
declare
  partition record;
  oldest text := to_char((now() at time zone 'UTC') - make_interval(months => greatest(months, 3)), 'YYYY_MM');
begin
  for partition in
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'messages'::regclass and c.relname ~ '^messages_[0-9]{4}_[0-9]{2}$'
      and c.relname < 'messages_' || oldest
    order by c.relname
  loop
    execute format('alter table messages detach partition %I', partition.name);
    execute format('drop table %I', partition.name);
    return next partition.name;
  end loop;
end $$;

revoke execute on function drop_message_partitions(integer) from public;
grant execute on function drop_message_partitions(integer) to prosaas_app;
