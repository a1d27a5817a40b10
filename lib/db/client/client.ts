import postgres from "postgres";
import { FairSlots } from "../../runtime/fair_slots.ts";

/** The role that services work as: it owns nothing, and row-level security applies to it. */
export const appRole = "prosaas_app";

export type DatabaseOptions = {
  /** DATABASE_URL_POOLER or DATABASE_URL_READ. */
  url: string;
  /** Most connections this process opens: the sum over all replicas must fit the pooler. */
  poolSize: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** How long statements wait; for requests by default. */
  waits?: Waits;
};

export type Waits = {
  /** For a connection: in the queue of the pool, and until a new one is open. */
  acquireMs: number;
  /** For the next byte of an answer. After that the connection is dropped, with the statements it carries. */
  answerMs: number;
  /** For the server to finish one statement; absent: `roleStatementMs`. */
  statementMs?: number;
};

/** The limit of the services' role for one statement (migrations/role_limits.ts). */
export const roleStatementMs = 5_000;

/**
 * At most 8 s in all, so that a request gets its 503 within the edge's deadline. The role's statement_timeout ends a
 * statement before its answer is due.
 */
export const requestWaits: Waits = { acquireMs: 2_500, answerMs: 5_500 };

/**
 * For workers, where a wait is cheaper than a repeated job. A statement may spend 5 s in the pooler's queue
 * (pgbouncer.nomad.hcl) before it runs.
 */
export const workerWaits: Waits = { acquireMs: 10_000, answerMs: 25_000, statementMs: 15_000 };

const pool = Symbol("pool");
const limits = Symbol("limits");
const slots = Symbol("slots");

/** A pool of connections. Statements reach it through a scope only: `forBusiness` or `forPlatform`. */
export type Database = {
  readonly [pool]: postgres.Sql;
  readonly [limits]: Waits;
  readonly [slots]: FairSlots;
  /** Resolves when the server answers; throws when it does not. */
  ping(): Promise<void>;
  /** Waits up to five seconds for running statements, then closes. */
  close(): Promise<void>;
};

/**
 * Connects lazily. Statements are never prepared by name: a pooler in transaction mode may give every
 * transaction another server connection. No startup parameter is sent that such a pooler would refuse.
 */
export function createDatabase({ url, poolSize, applicationName, waits = requestWaits }: DatabaseOptions): Database {
  const sql = postgres(url, {
    max: poolSize,
    prepare: false,
    connect_timeout: waits.acquireMs / 1000,
    acquire_timeout: waits.acquireMs / 1000,
    answer_timeout: waits.answerMs / 1000,
    idle_timeout: 60,
    // Nothing is pipelined outside a transaction. When a client dies, pgbouncer (1.18) hands its server connection on
    // as soon as one answer is complete; the answers of further statements would reach another client, or tenant.
    max_pipeline: 1,
    // Not above half a second: after a restart of the server the pool is back at once.
    backoff: (attempt) => Math.min(0.5, 0.05 * 2 ** attempt),
    connection: { application_name: applicationName },
    onnotice: () => {},
  });
  return {
    [pool]: sql,
    [limits]: waits,
    [slots]: new FairSlots(connectionShares(poolSize)),
    ping: async () => {
      await sql`select 1`;
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/**
 * A business holds at most half of a process's connections, and a few businesses together leave a quarter to others:
 * neither slow statements nor a flood of them keep another business from the database.
 */
const connectionShares = (poolSize: number) => ({
  total: poolSize,
  share: Math.ceil(poolSize / 2),
  reserved: Math.floor(poolSize / 4),
});

/**
 * Runs `work`, which uses one connection. Waits at most `maxWaitMs` for its turn while the owner's share of the
 * connections is used up; an undefined owner is the platform itself, which has no share. `work` must not wait for a
 * connection of the same owner.
 */
export async function withConnection<T>(
  db: Database,
  owner: string | undefined,
  work: () => Promise<T>,
  maxWaitMs = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { [slots]: shared, [limits]: waits } = db;
  if (!shared.take(owner) && !(await shared.acquire(owner, Math.min(waits.acquireMs, maxWaitMs)))) throw noConnection();
  try {
    return await work();
  } finally {
    shared.giveBack(owner);
  }
}

function noConnection(): Error {
  return Object.assign(new Error("no connection to the database was free in time"), { code: "ACQUIRE_TIMEOUT" });
}

/** The connections under a database. For `scope.ts` alone: what goes past a scope goes past the tenants' walls. */
export function poolOf(db: Database): postgres.Sql {
  return db[pool];
}

/** How long statements of this pool wait. */
export function waitsOf(db: Database): Waits {
  return db[limits];
}
