-- The order of deliveries, drawn as they are written: ids are made by many processes, whose clocks differ. What was
-- written before this has 0, and so goes first, in the order of ids as it did. The constant is kept once for all of
-- these rows, so that none is rewritten; a column that came with nextval would rewrite each.
alter table webhook_deliveries add column place bigint not null default 0;
create sequence webhook_deliveries_place owned by webhook_deliveries.place;
alter table webhook_deliveries alter column place set default nextval('webhook_deliveries_place');
grant usage on sequence webhook_deliveries_place to prosaas_app;
