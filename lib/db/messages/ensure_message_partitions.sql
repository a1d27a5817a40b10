-- Creates the partitions of messages for the current month and the `ahead` following ones; returns the names of the new
-- ones. Runs as the owner of the tables: services own nothing, yet a worker creates next month's partition.
create or replace function ensure_message_partitions(ahead integer) returns setof text
  language plpgsql security definer
  set search_path = public, pg_temp
  -- Attaching locks the default partition and readers queue behind it: give up early and retry later.
  set lock_timeout = '1s'
as $$
declare
  first timestamptz;
  name text;
begin
  for month in 0 .. least(greatest(ahead, 0), 12) loop
    first := date_trunc('month', now() at time zone 'UTC') at time zone 'UTC';
    first := ((first at time zone 'UTC') + make_interval(months => month)) at time zone 'UTC';
    name := 'messages_' || to_char(first at time zone 'UTC', 'YYYY_MM');
    if to_regclass('public.' || name) is null then
      execute format('create table %I (like messages including all)', name);
      execute format(
        'with moved as (delete from messages_default where id >= %L and id < %L returning *)
         insert into %I select * from moved',
        uuidv7_floor(first), uuidv7_floor(((first at time zone 'UTC') + interval '1 month') at time zone 'UTC'), name);
      execute format('alter table messages attach partition %I for values from (%L) to (%L)', name,
        uuidv7_floor(first), uuidv7_floor(((first at time zone 'UTC') + interval '1 month') at time zone 'UTC'));
      return next name;
    end if;
  end loop;
end $$;

revoke execute on function ensure_message_partitions(integer) from public;
grant execute on function ensure_message_partitions(integer) to prosaas_app;
