-- What is known of a key beside what it may do.
alter table api_keys
  add column name text check (char_length(name) between 1 and 200),
  add column expires_at timestamptz(3),
  add column last_used_at timestamptz(3);

-- The platform answers requests with an Idempotency-Key too; its rows bear the nil UUID in the place of a business.
alter table idempotency_keys drop constraint idempotency_keys_business_id_fkey;

-- Who signed in to the console. The cookie's token is not stored, only what finds it.
create table console_sessions (
  hash text primary key check (hash ~ '^[0-9a-f]{64}$'),
  key_id uuid not null references api_keys (id) on delete cascade,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
);

-- What admin keys changed: written before it is done, and completed with the answer's status.
create table audit_events (
  id uuid primary key,
  at timestamptz(3) not null default now(),
  key_id uuid not null,
  key_prefix text not null,
  method text not null,
  path text not null,
  business_id uuid,
  request_id text not null,
  status integer
);

alter table console_sessions enable row level security;
alter table audit_events enable row level security;

-- No tenant's: only the platform sees them.
create policy scope on console_sessions using ((select current_setting('prosaas.scope', true)) = 'platform');
create policy scope on audit_events using ((select current_setting('prosaas.scope', true)) = 'platform');

grant select, insert, delete on console_sessions to prosaas_app;
grant select, insert, update on audit_events to prosaas_app;
