-- Telephone numbers, what a business wants done with its calls, the calls that ended, and their recordings. Calls in
-- progress are in Redis; a row is written when one ends.

create table phone_numbers (
  number text primary key check (number ~ '^\+[1-9][0-9]{6,14}$'),
  business_id uuid not null references businesses (id) on delete cascade,
  created_at timestamptz(3) not null default now()
);

create table call_settings (
  business_id uuid primary key references businesses (id) on delete cascade,
  max_concurrent integer check (max_concurrent >= 0),
  record boolean not null default false,
  consent_line text check (char_length(consent_line) between 1 and 500),
  updated_at timestamptz(3) not null default now(),
  -- Nobody is recorded without being told.
  constraint call_settings_record_needs_consent check (not record or consent_line is not null)
);

create table calls (
  call_sid text primary key check (call_sid ~ '^CA[0-9a-f]{32}$'),
  business_id uuid not null references businesses (id) on delete cascade,
  direction text not null check (direction in ('inbound', 'outbound')),
  from_number text not null,
  to_number text not null,
  -- "lost": the carrier never said how it ended.
  status text not null check (status in ('completed', 'busy', 'no_answer', 'failed', 'canceled', 'lost')),
  streams integer not null default 0 check (streams >= 0),
  transferred_to text,
  started_at timestamptz(3) not null,
  answered_at timestamptz(3),
  ended_at timestamptz(3) not null,
  duration_s integer not null check (duration_s >= 0),
  created_at timestamptz(3) not null default now()
);

create table call_recordings (
  recording_sid text primary key check (recording_sid ~ '^RE[0-9a-f]{32}$'),
  business_id uuid not null references businesses (id) on delete cascade,
  -- No foreign key: a recording may be announced before its call's end is.
  call_sid text not null check (call_sid ~ '^CA[0-9a-f]{32}$'),
  status text not null check (status in ('pending', 'stored', 'absent', 'failed')),
  url text,
  duration_s integer check (duration_s >= 0),
  channels integer check (channels >= 1),
  storage_key text,
  attempts integer not null default 0,
  next_attempt_at timestamptz(3),
  error text,
  created_at timestamptz(3) not null default now(),
  stored_at timestamptz(3),
  -- What is still to be fetched is exactly the rows that have a next attempt.
  constraint call_recordings_pending_has_next_attempt check ((status = 'pending') = (next_attempt_at is not null)),
  constraint call_recordings_pending_has_url check (status <> 'pending' or url is not null),
  constraint call_recordings_stored_has_key check ((status = 'stored') = (storage_key is not null))
);

alter table phone_numbers enable row level security;
alter table call_settings enable row level security;
alter table calls enable row level security;
alter table call_recordings enable row level security;

create policy scope on phone_numbers using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on call_settings using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on calls using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
create policy scope on call_recordings using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);

grant select, insert, update, delete on phone_numbers, call_settings to prosaas_app;
grant select, insert, update on calls, call_recordings to prosaas_app;
