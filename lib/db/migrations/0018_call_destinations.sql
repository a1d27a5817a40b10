-- Limits on the calls and transfers that a business places: rules about destinations (lib/calls/destinations.ts) and a
-- number for 24 hours. Null: the platform's.
alter table call_settings
  add column allowed_destinations text[] check (cardinality(allowed_destinations) <= 100),
  add column max_per_day integer check (max_per_day >= 0);
