-- Whose data admin keys and console staff read: one row for each key, business and hour, so that the volume is bounded
-- by who reads, not by how often.
create table audit_reads (
  id uuid primary key,
  key_id uuid not null,
  key_prefix text not null,
  business_id uuid not null,
  hour timestamptz(3) not null,
  reads bigint not null check (reads > 0),
  last_at timestamptz(3) not null,
  unique (key_id, business_id, hour)
);

alter table audit_reads enable row level security;
create policy scope on audit_reads using ((select current_setting('prosaas.scope', true)) = 'platform');
grant select, insert, update, delete on audit_reads to prosaas_app;
