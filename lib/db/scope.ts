import type { Row, RowList, TransactionSql } from "postgres";
import { poolOf, roleStatementMs, waitsOf, withConnection } from "./client/client.ts";
import type { Database } from "./client/client.ts";
import { toDatabaseError } from "./client/errors.ts";
import { textOf } from "./client/literal.ts";
import type { Statement } from "./client/literal.ts";

/*
 * Two walls isolate tenants. First, a statement needs a scope, and a tenant's statement names its business. Second, in
 * case a statement forgets that, Postgres shows a transaction only the rows of the scope that it declared (row-level
 * security, migration 0000), and none if it declared none.
 */

export type Sql = TransactionSql;

export interface Scope {
  /**
   * Runs `work` in a transaction that sees the scope's rows only; commits when it resolves. Throws "unavailable" if the
   * database cannot be reached; whether a commit in flight succeeded is then unknown.
   */
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** One statement in a transaction of its own and in one exchange with the server; throws as `run` does. */
  ask<T extends readonly Row[]>(statement: Statement): Promise<RowList<T>>;
  /**
   * By `performance.now()`: after it `ask` sends no statement and waits for none, and `run` begins no transaction. In a
   * started transaction, each statement may take the time that was left at its start. Infinity: no limit.
   */
  readonly dueAt: number;
}

declare const business: unique symbol;
declare const platform: unique symbol;

/** Access to the rows of one business. */
export interface BusinessScope extends Scope {
  readonly [business]: true;
  readonly businessId: string;
}

/** Access to the rows of all businesses: keys are looked up, receipts of many tenants written in one statement. */
export interface PlatformScope extends Scope {
  readonly [platform]: true;
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The rows of one business. Throws on an id that is not a UUID. */
export function forBusiness(db: Database, businessId: string, dueAt?: number): BusinessScope {
  if (!uuidForm.test(businessId)) throw new TypeError("a business id must be a UUID");
  return { businessId, ...within(db, "prosaas.business_id", businessId, businessId, dueAt) } as BusinessScope;
}

/** The rows of every business: for what is not done on behalf of one. */
export function forPlatform(db: Database, dueAt?: number): PlatformScope {
  return within(db, "prosaas.scope", "platform", undefined, dueAt) as PlatformScope;
}

/**
 * No rows at all: for calls of functions that declare the scope of each row they touch themselves. A statement fails
 * once it has waited `lockMs` for a lock; default: it waits as long as it may take.
 */
export function forNobody(db: Database, dueAt?: number, lockMs?: number): Pick<Scope, "ask"> {
  const lockTimeout = lockMs === undefined ? [] : [`set local lock_timeout = ${lockMs}`];
  return { ask: (statement) => ask(db, () => [...timeLimit(db, dueAt), ...lockTimeout], statement, undefined, dueAt) };
}

/** Runs several verbs in one transaction: what `work` does through its scope happens together or not at all. */
export function atomically<S extends Scope, T>(scope: S, work: (scope: S) => Promise<T>): Promise<T> {
  return scope.run((sql) =>
    work({
      ...scope,
      run: <R>(inner: (sql: Sql) => Promise<R>) => inner(sql),
      ask: <R extends readonly Row[]>(statement: Statement) => sql.unsafe<[...R]>(textOf(statement)),
    }),
  );
}

/** `setting` and `value` are constants, or a UUID; `owner` is the business whose share of the connections is used. */
function within(db: Database, setting: string, value: string, owner?: string, dueAt = Number.POSITIVE_INFINITY): Scope {
  const declaration = (): string[] => [`set local ${setting} = '${value}'`, ...timeLimit(db, dueAt)];
  return {
    dueAt,
    run: <T>(work: (sql: Sql) => Promise<T>): Promise<T> =>
      withinWaits(
        db,
        owner,
        ({ started }) =>
          poolOf(db).begin((sql) => {
            started();
            // Not awaited: it is pipelined with the first statement of `work`, which fails if the declaration fails.
            void sql.unsafe(declaration().join(";")).execute();
            return work(sql);
          }) as Promise<T>,
        dueAt,
      ),
    ask: (statement) => ask(db, declaration, statement, owner, dueAt),
  };
}

/** The server ends a statement, with the locks that it holds, when its caller no longer waits. */
function timeLimit(db: Database, dueAt = Number.POSITIVE_INFINITY): string[] {
  const { statementMs } = waitsOf(db);
  const ms = Math.min(statementMs ?? roleStatementMs, Math.max(1, Math.ceil(dueAt - performance.now())));
  return statementMs === undefined && ms === roleStatementMs ? [] : [`set local statement_timeout = ${ms}`];
}

/** Sends both in one query, which is one transaction, so that the declaration ends with it. */
async function ask<T extends readonly Row[]>(
  db: Database,
  declaration: () => string[],
  statement: Statement,
  owner?: string,
  dueAt?: number,
): Promise<RowList<T>> {
  const send = ({ handed }: Progress) => {
    const query = poolOf(db)
      .unsafe([...declaration(), textOf(statement)].join(";"))
      .simple();
    handed(query);
    return query as unknown as Promise<RowList<T> | [unknown, RowList<T>]>;
  };
  const answer = await withinWaits(db, owner, send, dueAt);
  // The driver begins a second result when rows come; without any, all statements share the first.
  return "command" in answer ? answer : answer[1];
}

/** `state`, which the driver's types lack: the connection that has sent the query. */
type DriverQuery = { cancel(): void; state?: unknown };

type Progress = {
  /** The driver has the query: from here on it may take effect without an answer. */
  handed: (query: DriverQuery) => void;
  /** The transaction has started. Throws if the caller has stopped waiting. */
  started: () => void;
};

/**
 * Runs `work` with a connection. Its first answer may take no longer than a connection and an answer together, which
 * includes the wait for the owner's turn, and may not come after `dueAt`. `work` calls `started` when the answer is
 * there, unless it ends with it.
 */
async function withinWaits<T>(
  db: Database,
  owner: string | undefined,
  work: (progress: Progress) => Promise<T>,
  dueAt = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { acquireMs, answerMs } = waitsOf(db);
  const waitMs = Math.min(acquireMs + answerMs, dueAt - performance.now());
  if (waitMs <= 0) throw toDatabaseError(notSent());
  // The driver limits silence only; this bounds a server that keeps answering others on the same connection.
  const late = Promise.withResolvers<never>();
  let handedQuery: DriverQuery | undefined;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    const isSent = handedQuery !== undefined && !cancelQueued(handedQuery);
    late.reject(isSent ? notAnswered() : notSent());
  }, waitMs);
  const progress: Progress = {
    handed: (query) => {
      if (isLate) throw notSent();
      handedQuery = query;
    },
    started: () => {
      if (isLate) throw notSent();
      clearTimeout(timer);
    },
  };
  try {
    return await Promise.race([withConnection(db, owner, async () => work(progress), waitMs), late.promise]);
  } catch (error) {
    throw toDatabaseError(error);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Takes a query out of the driver's queue, in which it may wait for a connection until after its deadline. False once
 * the driver has sent it.
 */
function cancelQueued(query: DriverQuery): boolean {
  if (query.state) return false;
  query.cancel();
  return true;
}

function notAnswered(): Error {
  return Object.assign(new Error("the database did not answer in time"), { code: "ANSWER_TIMEOUT" });
}

function notSent(): Error {
  return Object.assign(new Error("no connection to the database answered in time"), { code: "ACQUIRE_TIMEOUT" });
}
