-- Copies of the shards' state, so that a shard survives its disk (services/whatsapp/copy). The role of the shards
-- reaches these two tables and nothing else (shard_role.ts).

-- A shard's lease and the extent of its copy. Updated with each commit of the shard: the free space keeps updates on
-- the page.
create table shard_copies (
  shard integer primary key check (shard between 1 and 10000),
  -- The fencing token of the copy: grows at each claim.
  epoch bigint not null check (epoch >= 1),
  -- The volume whose process may write.
  volume uuid not null,
  state text not null check (state in ('live', 'restoring')),
  -- True if the snapshot and the tail after it make up a whole state.
  complete boolean not null,
  -- True if the copy never lags behind what the shard has sent.
  exact boolean not null,
  leased_until timestamptz(3) not null,
  appended_at timestamptz(3) not null,
  -- The last row of the tail, and the bytes of the rows after the snapshot.
  tail_seq bigint not null check (tail_seq >= 0),
  tail_bytes bigint not null check (tail_bytes >= 0),
  -- The object in the storage, and the row of the tail at which it was begun.
  snapshot_key text check (char_length(snapshot_key) between 1 and 200),
  snapshot_seq bigint check (snapshot_seq >= 0),
  snapshot_bytes bigint check (snapshot_bytes >= 0),
  snapshot_at timestamptz(3),
  -- An object that is being written, or that a killed process has left.
  pending_key text check (char_length(pending_key) between 1 and 200),
  constraint shard_copies_complete_have_a_snapshot check (not complete or (snapshot_key is not null and snapshot_seq is not null))
) with (fillfactor = 50);

-- The changes since the snapshot, in the order of the shard's commits; compressed, then sealed under the shard's keys.
create table shard_tail (
  shard integer not null check (shard >= 1),
  seq bigint not null check (seq >= 1),
  key_id text not null check (char_length(key_id) between 1 and 64),
  box bytea not null check (octet_length(box) <= 33554432),
  primary key (shard, seq)
);
-- Sealed content does not compress.
alter table shard_tail alter column box set storage external;

alter table shard_copies enable row level security;
alter table shard_tail enable row level security;
create policy shards on shard_copies using
  ((select current_user) = 'prosaas_shards' or (select current_setting('prosaas.scope', true)) = 'platform');
create policy shards on shard_tail using
  ((select current_user) = 'prosaas_shards' or (select current_setting('prosaas.scope', true)) = 'platform');

grant select on shard_copies, shard_tail to prosaas_app;
