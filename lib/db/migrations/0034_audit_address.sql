-- The address that a change came from, as the edge names it. Null: not recorded.
alter table audit_events add column address text;
