-- Endpoints of businesses, and what is to be delivered to them. A delivery is written in the transaction of what it
-- tells of; the pending ones are the outbox of webhooks.

create table webhooks (
  id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  url text not null check (char_length(url) between 1 and 2048),
  description text check (char_length(description) <= 200),
  events text[] not null check (cardinality(events) > 0),
  ordered boolean not null default false,
  max_concurrency integer not null check (max_concurrency between 1 and 32),
  -- Sealed under the key ring of the services (lib/webhooks/signature.ts).
  secret text not null,
  previous_secret text,
  previous_secret_until timestamptz(3),
  status text not null default 'active' check (status in ('active', 'paused', 'disabled')),
  status_reason text,
  status_since timestamptz(3) not null default now(),
  failures integer not null default 0 check (failures >= 0),
  failing_since timestamptz(3),
  -- Nothing is delivered before this.
  next_attempt_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3),
  constraint webhooks_failures_have_begun check ((failures = 0) = (failing_since is null)),
  constraint webhooks_previous_secret_ends check ((previous_secret is null) = (previous_secret_until is null))
);

create table webhook_deliveries (
  id uuid primary key,
  webhook_id uuid not null references webhooks (id) on delete cascade,
  business_id uuid not null references businesses (id) on delete cascade,
  event text not null,
  -- What it keeps its order within, at endpoints that ask for order.
  chat text,
  -- The very bytes that are signed and sent.
  payload text not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
  attempts integer not null default 0,
  next_attempt_at timestamptz(3) default now(),
  -- After this it is not tried again.
  expires_at timestamptz(3) not null,
  created_at timestamptz(3) not null default now(),
  delivered_at timestamptz(3),
  last_attempt_at timestamptz(3),
  last_duration_ms integer,
  last_status integer,
  last_error text,
  constraint webhook_deliveries_pending_has_next_attempt check ((status = 'pending') = (next_attempt_at is not null))
);

alter table webhooks enable row level security;
alter table webhook_deliveries enable row level security;

create policy scope on webhooks using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on webhook_deliveries using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);

grant select, insert, update on webhooks to prosaas_app;
grant select, insert, update, delete on webhook_deliveries to prosaas_app;
