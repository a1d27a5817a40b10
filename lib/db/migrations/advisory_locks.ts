import { appRole } from "../client/client.ts";
import type { OwnerConnection } from "../client/owner.ts";

const isAdvisory = "pronamespace = 'pg_catalog'::regnamespace and proname ~ '^pg_(try_)?advisory_'";

/**
 * Leaves advisory locks to the services and the owner. PostgreSQL grants them to every role, and services serialise
 * each tenant's writes by them: a shard that handles hostile input could hold them all, or fill the table of locks.
 * Runs with every migration. Only a superuser may revoke: in a stack, nomad/tasks/postgres-init.sh does it instead.
 */
export async function restrictAdvisoryLocks(sql: OwnerConnection): Promise<void> {
  await sql.unsafe(`
    do $$
    declare
      name regprocedure;
      owner name := (select pg_get_userbyid(datdba) from pg_database where datname = current_database());
    begin
      if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
      end if;
      for name in select oid from pg_proc where ${isAdvisory} loop
        execute format('grant execute on function %s to %I, %I', name, owner, '${appRole}');
        execute format('revoke execute on function %s from public', name);
      end loop;
    end $$`);
}

/** True if only roles with an explicit grant may take advisory locks in this database. */
export async function areAdvisoryLocksRestricted(sql: OwnerConnection): Promise<boolean> {
  const [row] = await sql.unsafe<[{ restricted: boolean }]>(`
    select not bool_or(has_function_privilege('public', oid, 'execute')) as restricted
    from pg_proc where ${isAdvisory}`);
  return row.restricted;
}
