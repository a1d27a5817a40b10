import postgres from "postgres";
import { sleep } from "../../core/time.ts";

export type OwnerConnection = postgres.Sql;

export type OwnerOptions = {
  /** DATABASE_URL: the server itself, not a pooler, as the role that owns the tables. */
  url: string;
  applicationName: string;
};

/**
 * One connection for migrations and index builds. Session state (advisory locks, lock_timeout) holds on it,
 * because it is the only one and never recycled.
 */
export function connectAsOwner({ url, applicationName }: OwnerOptions): OwnerConnection {
  return postgres(url, {
    max: 1,
    max_lifetime: null,
    idle_timeout: 0,
    connect_timeout: 10,
    connection: { application_name: applicationName },
    onnotice: () => {},
  });
}

const lockPollMs = 250;

/**
 * Runs `work` while holding an advisory lock; waits for it as long as necessary and calls `waiting` once if another
 * session holds it. The lock ends with the session, so a killed process leaves none. Throws after `work` if the
 * connection was lost, because the lock was lost with it.
 */
export async function withAdvisoryLock<T>(
  sql: OwnerConnection,
  name: string,
  work: () => Promise<T>,
  waiting: () => void = () => {},
): Promise<T> {
  // Polled, because a blocked statement is an open transaction: an index build of the lock's holder would wait for that
  // transaction, and both would deadlock.
  for (let attempt = 1; !(await tryLock(sql, name)); attempt++) {
    if (attempt === 1) waiting();
    await sleep(lockPollMs);
  }
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await unlock(sql, name).catch(() => {});
    throw error;
  }
  if (!(await unlock(sql, name)))
    throw new Error(`the connection was lost while it held the lock ${name}; run it again`);
  return result;
}

async function tryLock(sql: OwnerConnection, name: string): Promise<boolean> {
  const [row] = await sql<[{ locked: boolean }]>`select pg_try_advisory_lock(hashtextextended(${name}, 0)) as locked`;
  return row.locked;
}

async function unlock(sql: OwnerConnection, name: string): Promise<boolean> {
  const [row] = await sql<[{ held: boolean }]>`select pg_advisory_unlock(hashtextextended(${name}, 0)) as held`;
  return row.held;
}
