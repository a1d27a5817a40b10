-- How fast the business may send, as far as it chose (lib/shard-client/pacing.ts); null: as the platform has it.
alter table businesses add column pacing jsonb;
