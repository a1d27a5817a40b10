import postgres from "postgres";

/** The role that services work as: it owns nothing, and row-level security applies to it. */
export const appRole = "prosaas_app";

export type DatabaseOptions = {
  /** DATABASE_URL_POOLER or DATABASE_URL_READ. */
  url: string;
  /** Most connections this process opens: the sum over all replicas must fit the pooler. */
  poolSize: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** A server that owes an answer and says nothing for so long is given up, and its connection with it. */
  answerTimeoutMs?: number;
};

/** Above what an answer may take: 15 s for the statement (migration 0000) after 10 s in the pooler's queue (pgbouncer.nomad.hcl). */
const defaultAnswerTimeoutMs = 30_000;

const pool = Symbol("pool");

/** A pool of connections. Statements reach it through a scope only: `forBusiness` or `forPlatform`. */
export type Database = {
  readonly [pool]: postgres.Sql;
  /** Resolves when the server answers; throws when it does not. */
  ping(): Promise<void>;
  /** Waits up to five seconds for the statements under way, then closes. */
  close(): Promise<void>;
};

/**
 * Connects lazily. Statements are never prepared by name: a pooler in transaction mode may give every
 * transaction another server connection. No startup parameter is sent that such a pooler would refuse.
 */
export function createDatabase({ url, poolSize, applicationName, answerTimeoutMs = defaultAnswerTimeoutMs }: DatabaseOptions): Database {
  const sql = postgres(url, {
    max: poolSize,
    prepare: false,
    connect_timeout: 5,
    answer_timeout: answerTimeoutMs / 1000,
    idle_timeout: 60,
    // Not above half a second: after a restart of the server the pool is back at once.
    backoff: (attempt) => Math.min(0.5, 0.05 * 2 ** attempt),
    connection: { application_name: applicationName },
    onnotice: () => {},
  });
  return {
    [pool]: sql,
    ping: async () => {
      await sql`select 1`;
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/** The connections under a database. For `scope.ts` alone: what goes past a scope goes past the tenants' walls. */
export function poolOf(db: Database): postgres.Sql {
  return db[pool];
}
