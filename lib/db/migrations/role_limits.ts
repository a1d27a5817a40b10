import { appRole, roleStatementMs } from "../client/client.ts";
import type { OwnerConnection } from "../client/owner.ts";

/**
 * Session defaults of the role that services log in as. The pooler ignores startup parameters, so the server has to
 * know them. They bound what a stuck or dead process can hold: a connection, a transaction, its locks.
 */
export const roleLimits = {
  /** Below the wait for an answer (`requestWaits`), so that a slow statement ends without its connection. */
  statement_timeout: `${roleStatementMs / 1_000}s`,
  /** A process that stops between two statements of a transaction keeps its locks for this long. */
  idle_in_transaction_session_timeout: "15s",
  /** How often a running statement checks that its client is still there. */
  client_connection_check_interval: "2s",
} as const;

const insufficientPrivilege = "42501";

/**
 * Gives the role its limits in this database. Runs with every migration and not once: a dump carries no settings of
 * roles. An owner that may not alter the role makes them defaults of the database, from which it excepts itself:
 * builds of indexes take longer.
 */
export async function setRoleLimits(sql: OwnerConnection): Promise<void> {
  try {
    await setEach(sql, "role", roleLimits);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === insufficientPrivilege)) throw error;
    await setEach(sql, "owner", { statement_timeout: "0", idle_in_transaction_session_timeout: "0" });
    await setEach(sql, "database", roleLimits);
  }
}

type Target = "role" | "owner" | "database";

async function setEach(sql: OwnerConnection, target: Target, settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const [{ statement }] = await sql<[{ statement: string }]>`
      select case ${target}
        when 'role' then format('alter role %I in database %I set %I = %L', ${appRole}::text, current_database(),
          ${name}::text, ${value}::text)
        when 'owner' then format('alter role %I in database %I set %I = %L', current_user, current_database(),
          ${name}::text, ${value}::text)
        else format('alter database %I set %I = %L', current_database(), ${name}::text, ${value}::text)
      end as statement`;
    await sql.unsafe(statement);
  }
}
