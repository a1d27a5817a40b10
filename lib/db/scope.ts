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
  /** By `performance.now()`: after it no statement is sent and none is waited for. Infinity: no limit. */
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

/** No rows at all: for calls of functions that declare the scope of each row they touch themselves. */
export function forNobody(db: Database, dueAt?: number): Pick<Scope, "ask"> {
  return { ask: (statement) => send(db, textOf(statement), undefined, dueAt) };
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
  const { statementMs } = waitsOf(db);
  // The server ends a statement, with the locks that it holds, when its caller no longer waits.
  const declaration = (): string => {
    const ms = Math.min(statementMs ?? roleStatementMs, Math.max(1, Math.ceil(dueAt - performance.now())));
    const timeout = statementMs === undefined && ms === roleStatementMs ? "" : `;set local statement_timeout = ${ms}`;
    return `set local ${setting} = '${value}'${timeout}`;
  };
  return {
    dueAt,
    run: <T>(work: (sql: Sql) => Promise<T>): Promise<T> =>
      withinWaits(
        db,
        owner,
        (onAnswer) =>
          poolOf(db).begin((sql) => {
            onAnswer();
            // Not awaited: it is pipelined with the first statement of `work`, which fails if the declaration fails.
            void sql.unsafe(declaration()).execute();
            return work(sql);
          }) as Promise<T>,
        dueAt,
      ),
    // Statements in one query are one transaction, so the declaration ends with it.
    ask: async <T extends readonly Row[]>(statement: Statement) => {
      const answer: RowList<T> | [unknown, RowList<T>] = await send(
        db,
        `${declaration()};${textOf(statement)}`,
        owner,
        dueAt,
      );
      // The driver begins a second result when rows come; without any, both statements share the first.
      return "command" in answer ? answer : answer[1];
    },
  };
}

function send<R>(db: Database, query: string, owner?: string, dueAt?: number): Promise<R> {
  return withinWaits(db, owner, () => poolOf(db).unsafe(query).simple() as unknown as Promise<R>, dueAt);
}

/**
 * Runs `work` with a connection. Its first answer may take no longer than a connection and an answer together, which
 * includes the wait for the owner's turn, and may not come after `dueAt`. `work` calls `onAnswer` when the answer is
 * there, unless it ends with it; `onAnswer` throws if the caller has stopped waiting.
 */
async function withinWaits<T>(
  db: Database,
  owner: string | undefined,
  work: (onAnswer: () => void) => Promise<T>,
  dueAt = Number.POSITIVE_INFINITY,
): Promise<T> {
  const { acquireMs, answerMs } = waitsOf(db);
  const waitMs = Math.min(acquireMs + answerMs, dueAt - performance.now());
  if (waitMs <= 0) throw toDatabaseError(lateAnswer());
  // The driver limits silence only; this bounds a server that keeps answering others on the same connection.
  const late = Promise.withResolvers<never>();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    late.reject(lateAnswer());
  }, waitMs);
  const onAnswer = () => {
    if (isLate) throw lateAnswer();
    clearTimeout(timer);
  };
  try {
    return await Promise.race([withConnection(db, owner, () => work(onAnswer), waitMs), late.promise]);
  } catch (error) {
    throw toDatabaseError(error);
  } finally {
    clearTimeout(timer);
  }
}

function lateAnswer(): Error {
  return Object.assign(new Error("the database did not answer in time"), { code: "ANSWER_TIMEOUT" });
}
