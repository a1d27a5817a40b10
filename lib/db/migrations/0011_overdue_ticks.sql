-- Messages whose ticks did not come: set when they had time to, and their shard has none to give.
alter table messages add column ticks_overdue_at timestamptz(3);

-- How far a job that looks at everything once, in order of time, has come.
create table progress_marks (
  name text primary key,
  at timestamptz(3) not null
);

alter table progress_marks enable row level security;
create policy scope on progress_marks using ((select current_setting('prosaas.scope', true)) = 'platform');
grant select, insert, update on progress_marks to prosaas_app;
