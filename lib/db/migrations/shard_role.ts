import type { OwnerConnection } from "../client/owner.ts";
import { roleLimits } from "./role_limits.ts";

/** The role that shards log in as to copy their state. A shard handles hostile input: it reaches no tenant's rows. */
export const shardRole = "prosaas_shards";

const insufficientPrivilege = "42501";

/**
 * Lets the shards' role use the tables of their copies, and limits its statements. Runs with every migration, because the
 * server may get the role later (nomad/tasks/postgres-init.sh); without it, no shard can copy its state.
 */
export async function prepareShardRole(sql: OwnerConnection): Promise<void> {
  // Roles belong to the whole server: the migration of another database may create it at this moment.
  await sql.unsafe(`
    do $$
    begin
      if not exists (select from pg_roles where rolname = '${shardRole}') then
        create role ${shardRole} nologin;
      end if;
    exception when duplicate_object or unique_violation or insufficient_privilege then
      null;
    end $$`);
  const [role] = await sql`select 1 from pg_roles where rolname = ${shardRole}`;
  if (role === undefined) return;
  await sql.unsafe(`
    grant usage on schema public to ${shardRole};
    grant select, insert, update, delete on shard_copies, shard_tail to ${shardRole}`);
  const database = await sql<[{ name: string }]>`select quote_ident(current_database()) as name`;
  try {
    for (const [name, value] of Object.entries(roleLimits))
      await sql.unsafe(`alter role ${shardRole} in database ${database[0].name} set ${name} = '${value}'`);
  } catch (error) {
    // Where the owner may not alter roles, `setRoleLimits` has made the limits defaults of the database.
    if (!(error instanceof Error && "code" in error && error.code === insufficientPrivilege)) throw error;
  }
}
