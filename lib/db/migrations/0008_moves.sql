-- A business on its way from one shard to another.

alter table businesses
  -- Grows by one with each move: shards refuse an order that bears an older number.
  add column whatsapp_fence integer not null default 0 check (whatsapp_fence >= 0),
  -- The move that fences the business off: nothing is handed to a shard meanwhile.
  add column whatsapp_move uuid;

create table moves (
  id uuid primary key,
  business_id uuid not null references businesses (id) on delete cascade,
  from_shard integer not null check (from_shard >= 1),
  to_shard integer not null check (to_shard >= 1),
  -- The last step that is known to be done (lib/db/schema/moves.ts).
  step text not null default 'requested' check (step in
    ('requested', 'fenced', 'stopped', 'taken', 'tombstoned', 'switched', 'opened', 'done', 'rolling_back', 'rolled_back')),
  fence integer check (fence >= 1),
  -- SHA-256 of the sealed login that the target has on its disk.
  checksum text check (checksum ~ '^[0-9a-f]{64}$'),
  -- Why it is held up, or was rolled back.
  error text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  fenced_at timestamptz(3),
  finished_at timestamptz(3),
  constraint moves_lead_elsewhere check (from_shard <> to_shard),
  constraint moves_finished_have_ended check ((step in ('done', 'rolled_back')) = (finished_at is not null)),
  constraint moves_on_their_way_are_fenced check (step in ('requested', 'rolled_back') or fence is not null),
  constraint moves_fenced_since check ((fence is null) = (fenced_at is null)),
  constraint moves_taken_have_a_checksum check
    (step not in ('taken', 'tombstoned', 'switched', 'opened', 'done') or checksum is not null)
);

-- One move at a time for each business. Not left to the indexer: two at once would tear a login apart.
create unique index moves_one_at_a_time on moves (business_id) where finished_at is null;

alter table moves enable row level security;

create policy scope on moves using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);

grant select, insert, update on moves to prosaas_app;
