-- Tenants, keys, logins and messages. Runs in the transaction and under the lock_timeout of lib/db/migrate.ts.

-- Roles belong to the whole server: another database's migration may be making the same one right now.
do $$
begin
  if not exists (select from pg_roles where rolname = 'prosaas_app') then
    create role prosaas_app nologin;
  end if;
exception when duplicate_object or unique_violation then
  null;
end $$;

-- A statement or transaction that a dead or stuck process left behind must not hold its locks for ever.
do $$
begin
  execute format('alter role prosaas_app in database %I set statement_timeout = %L', current_database(), '15s');
  execute format('alter role prosaas_app in database %I set idle_in_transaction_session_timeout = %L', current_database(), '15s');
exception when insufficient_privilege then
  raise notice 'the timeouts of prosaas_app are left to whoever owns the role';
end $$;

create table businesses (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 200),
  time_zone text not null check (char_length(time_zone) between 1 and 64),
  whatsapp_shard integer check (whatsapp_shard >= 1),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3)
);

create table api_keys (
  id uuid primary key,
  business_id uuid references businesses (id) on delete cascade,
  prefix text not null unique check (prefix ~ '^[A-Za-z0-9]{8}$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  scopes text[] not null,
  created_at timestamptz(3) not null default now(),
  revoked_at timestamptz(3)
);

create table whatsapp_sessions (
  business_id uuid primary key references businesses (id) on delete cascade,
  shard integer not null check (shard >= 1),
  status text not null check (status in
    ('disconnected', 'connecting', 'qr', 'code', 'open', 'logged_out', 'conflict', 'auth_error')),
  paired boolean not null,
  phone text,
  lid text,
  name text,
  reason text,
  since timestamptz(3) not null,
  observed_at timestamptz(3) not null,
  updated_at timestamptz(3) not null default now()
);

-- The order of the statuses: a message only ever moves up. "failed" stands below "delivered", because a later
-- tick proves a failure wrong, and above "sent", because a refusal may follow the acknowledgement.
create function message_status_rank(status text) returns integer
  language sql immutable strict parallel safe
  as $$ select array_position(array['queued', 'sent', 'failed', 'delivered', 'read', 'played'], status) $$;

-- Partitioned by range of id: a UUIDv7 begins with its time, so a range of ids is a month (lib/db/partitions.ts
-- makes them). The default partition takes what is older or newer than any of them.
create table messages (
  id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  direction text not null check (direction in ('outbound', 'inbound')),
  chat text not null,
  sender text,
  push_name text,
  type text not null,
  text text,
  wa_message_id text not null,
  status text not null check (status in ('queued', 'sent', 'failed', 'delivered', 'read', 'played')),
  error_code text,
  error_message text,
  attempts integer not null default 0,
  next_attempt_at timestamptz(3),
  queued_at timestamptz(3) not null default now(),
  sent_at timestamptz(3),
  delivered_at timestamptz(3),
  read_at timestamptz(3),
  played_at timestamptz(3),
  failed_at timestamptz(3),
  expires_at timestamptz(3),
  -- The outbox is exactly the rows that have a next attempt.
  constraint messages_queued_has_next_attempt check ((status = 'queued') = (next_attempt_at is not null)),
  constraint messages_failed_has_error check (status <> 'failed' or error_code is not null)
) partition by range (id);

create table messages_default partition of messages default;

create table idempotency_keys (
  business_id uuid not null references businesses (id) on delete cascade,
  key text not null check (char_length(key) between 1 and 255),
  fingerprint text not null,
  status integer not null,
  response jsonb not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  primary key (business_id, key)
);

-- The second wall between tenants. A transaction declares its scope (lib/db/scope.ts): one business, or the
-- platform. One that declared nothing sees nothing. The sub-selects are evaluated once a statement, not once a row.
alter table businesses enable row level security;
alter table api_keys enable row level security;
alter table whatsapp_sessions enable row level security;
alter table messages enable row level security;
alter table idempotency_keys enable row level security;

create policy scope on businesses using (
  id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  or (select current_setting('prosaas.scope', true)) = 'platform');
create policy scope on api_keys using (
  business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  or (select current_setting('prosaas.scope', true)) = 'platform');
create policy scope on whatsapp_sessions using (
  business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  or (select current_setting('prosaas.scope', true)) = 'platform');
create policy scope on messages using (
  business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  or (select current_setting('prosaas.scope', true)) = 'platform');
create policy scope on idempotency_keys using (
  business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  or (select current_setting('prosaas.scope', true)) = 'platform');

-- What the services do, and no more. Nothing on the partitions: they are reached through the parent and its policy.
grant usage on schema public to prosaas_app;
grant select, insert, update on businesses, api_keys, messages to prosaas_app;
grant select, insert, update, delete on whatsapp_sessions, idempotency_keys to prosaas_app;
