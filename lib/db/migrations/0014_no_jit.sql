-- The services' statements read few rows. Where an outbox is long the planner expects many, and to compile the plan took
-- longer than to run it.
do $$
begin
  execute format('alter database %I set jit = off', current_database());
end $$;
