-- One text to many people. A recipient's row and its message are written in one transaction, so that a crash at any
-- point sends to nobody twice.

-- The broadcast that a message is part of; null for every other message, which goes ahead of those of broadcasts.
alter table messages add column broadcast_id uuid;

create table broadcasts (
  id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  name text not null check (char_length(name) between 1 and 200),
  -- {{field}} stands for a recipient's own.
  text text not null check (char_length(text) between 1 and 65536),
  status text not null check (status in ('draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled')),
  -- The zone of the quiet hours, as it was when the broadcast was made.
  time_zone text not null,
  scheduled_at timestamptz(3),
  quiet_from text check (quiet_from ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
  quiet_to text check (quiet_to ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
  per_minute integer not null check (per_minute between 1 and 60000),
  -- Nothing is released before this.
  next_release_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  ended_at timestamptz(3),
  constraint broadcasts_quiet_hours_are_whole check ((quiet_from is null) = (quiet_to is null)),
  constraint broadcasts_end check ((ended_at is not null) = (status in ('completed', 'cancelled')))
);

create table broadcast_recipients (
  broadcast_id uuid not null references broadcasts (id) on delete cascade,
  business_id uuid not null references businesses (id) on delete cascade,
  place bigint generated always as identity,
  chat text not null,
  fields jsonb not null default '{}',
  -- released: its message is in the outbox, or went through it.
  status text not null default 'pending' check (status in ('pending', 'released', 'opted_out')),
  message_id uuid,
  -- Nobody is written to twice.
  primary key (broadcast_id, chat),
  constraint broadcast_recipients_released_have_message check ((status = 'released') = (message_id is not null))
);

create table opt_outs (
  business_id uuid not null references businesses (id) on delete cascade,
  chat text not null,
  created_at timestamptz(3) not null default now(),
  primary key (business_id, chat)
);

alter table broadcasts enable row level security;
alter table broadcast_recipients enable row level security;
alter table opt_outs enable row level security;

create policy scope on broadcasts using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on broadcast_recipients using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on opt_outs using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);

grant select, insert, update on broadcasts, broadcast_recipients to prosaas_app;
grant select, insert, delete on opt_outs to prosaas_app;
