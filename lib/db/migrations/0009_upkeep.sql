-- What shards received and nobody could understand or write. It is kept, so that a later version can, and shown to
-- nobody but the platform.
create table journal_quarantine (
  id uuid primary key,
  shard integer not null check (shard >= 1),
  stream text not null,
  seq bigint not null,
  -- As the entry names it: no foreign key, it may name nobody.
  business_id uuid,
  reason text not null,
  -- The whole entry. Text and not jsonb: what Postgres cannot take may be the very reason why it is here.
  entry text not null,
  created_at timestamptz(3) not null default now()
);

alter table journal_quarantine enable row level security;
create policy scope on journal_quarantine using ((select current_setting('prosaas.scope', true)) = 'platform');
grant select, insert, delete on journal_quarantine to prosaas_app;

-- The bound of a partition of messages: the smallest UUIDv7 of a moment (lib/core/ids.ts, uuidv7Floor).
create function uuidv7_floor(at timestamptz) returns uuid
  language sql immutable strict parallel safe
  as $$
    select (substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7000-8000-000000000000')::uuid
    from lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') as ms
  $$;

-- Makes the partitions of messages for the present month and the `ahead` next ones; returns the names of those it made.
-- It runs as the owner of the tables: the services own nothing, and yet one of them has to see to it that next month has
-- a place (services/workers/maintenance/keep_partitions.ts).
create function ensure_message_partitions(ahead integer) returns setof text
  language plpgsql security definer
  set search_path = public, pg_temp
  -- Attaching locks the default partition, and readers queue behind it: give up soon, and try again later.
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
        'with moved as (delete from messages_default where id >= %L and id < %L returning *) insert into %I select * from moved',
        uuidv7_floor(first), uuidv7_floor(((first at time zone 'UTC') + interval '1 month') at time zone 'UTC'), name);
      execute format('alter table messages attach partition %I for values from (%L) to (%L)', name,
        uuidv7_floor(first), uuidv7_floor(((first at time zone 'UTC') + interval '1 month') at time zone 'UTC'));
      return next name;
    end if;
  end loop;
end $$;

-- Drops the partitions of messages that are `months` and more whole months old; returns their names. Never one that is
-- younger than three months, whatever it is called with.
create function drop_message_partitions(months integer) returns setof text
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
    where i.inhparent = 'messages'::regclass and c.relname ~ '^messages_[0-9]{4}_[0-9]{2}$' and c.relname < 'messages_' || oldest
    order by c.relname
  loop
    execute format('alter table messages detach partition %I', partition.name);
    execute format('drop table %I', partition.name);
    return next partition.name;
  end loop;
end $$;

revoke execute on function ensure_message_partitions(integer), drop_message_partitions(integer) from public;
grant execute on function ensure_message_partitions(integer), drop_message_partitions(integer) to prosaas_app;
