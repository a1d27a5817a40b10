import postgres from "postgres";

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

/**
 * Runs `work` while holding a lock that only one session of the database has at a time; waits for it as long as
 * it takes, calling `waiting` once if somebody else holds it. It falls with the session, so a killed process
 * leaves none. Throws after `work` if the connection was lost meanwhile, for then the lock was too.
 */
export async function withAdvisoryLock<T>(
  sql: OwnerConnection,
  name: string,
  work: () => Promise<T>,
  waiting: () => void = () => {},
): Promise<T> {
  const [first] = await sql<[{ locked: boolean }]>`select pg_try_advisory_lock(hashtextextended(${name}, 0)) as locked`;
  if (!first.locked) {
    waiting();
    await sql`select pg_advisory_lock(hashtextextended(${name}, 0))`;
  }
  const release = async () => {
    const [last] = await sql<[{ held: boolean }]>`select pg_advisory_unlock(hashtextextended(${name}, 0)) as held`;
    return last.held;
  };
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await release().catch(() => {});
    throw error;
  }
  if (!(await release())) throw new Error(`the connection was lost while it held the lock ${name}; run it again`);
  return result;
}
