import { z } from "zod";
import { AppError, messageOf } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import { deadline } from "../core/time.ts";
import { batchResponse, journalEntries, journalPage, maxJournalPage, sessionList, sessionView } from "./schemas.ts";
import type {
  BatchMessage,
  ConnectRequest,
  JournalEntry,
  JournalPage,
  JournalStream,
  SendResult,
  SessionList,
  SessionView,
} from "./schemas.ts";

/** Where a shard listens: what the router's `locate` and `shard` give. */
export type ShardLocation = { shard: number; url: string };

export type ShardClientOptions = {
  /** SHARD_TOKEN. */
  token: string;
  /** How long one request may take. A batch of 50 texts needs less than 5 s on a healthy session. */
  timeoutMs?: number;
};

/**
 * Calls on a shard's internal API. All of them throw `AppError`:
 *   "unavailable"       the shard refused the connection, is starting, is full or its session is not open;
 *                       `retryAfterS` where the shard gave one. Nothing was sent that the ledger would not know.
 *   "upstream_timeout"  no answer in time; whether it was done is not known, asking again is harmless
 *   "conflict"          the session is not paired, or in a state that does not allow it
 *   "not_found"         the shard knows no such session
 *   "internal"          the shard answered what the contract does not allow
 */
export interface ShardClient {
  connect(at: ShardLocation, businessId: string, request: ConnectRequest): Promise<SessionView>;
  view(at: ShardLocation, businessId: string): Promise<SessionView>;
  list(at: ShardLocation): Promise<SessionList>;
  /** Logs out and sets the auth state aside; a session that is not there counts as logged out. */
  logout(at: ShardLocation, businessId: string): Promise<void>;
  /** Hands over at most 50 messages, in order; one result for each, in the same order. */
  sendBatch(at: ShardLocation, businessId: string, messages: BatchMessage[]): Promise<SendResult[]>;
  /** The oldest entries that nobody acknowledged yet. */
  readJournal<S extends JournalStream>(at: ShardLocation, stream: S, limit?: number): Promise<JournalPage<S>>;
  /** Lets the shard forget the entries up to and including `through`: only after Postgres has them. */
  ackJournal(at: ShardLocation, stream: JournalStream, through: number): Promise<void>;
}

const codeOfStatus = new Map<number, ErrorCode>([
  [400, "invalid_request"],
  [404, "not_found"],
  [409, "conflict"],
  [429, "unavailable"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "upstream_timeout"],
]);

const problem = z.looseObject({ detail: z.string().optional(), title: z.string().optional() });

export function createShardClient({ token, timeoutMs = 15_000 }: ShardClientOptions): ShardClient {
  const call = async (at: ShardLocation, method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await send(at, method, path, body);
    const text = await response.text().catch((cause: unknown) => {
      throw unreachable(at, cause);
    });
    if (response.ok) return response.status === 204 ? undefined : parseJson(at, text);
    throw refusal(at, response, text);
  };

  const send = (at: ShardLocation, method: string, path: string, body: unknown): Promise<Response> =>
    fetch(new URL(path, at.url), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal: deadline(timeoutMs),
    }).catch((cause: unknown) => {
      throw unreachable(at, cause);
    });

  const session = (businessId: string) => `/sessions/${encodeURIComponent(businessId)}`;

  return {
    connect: async (at, businessId, request) =>
      expected(at, sessionView, await call(at, "POST", `${session(businessId)}/connect`, request)),
    view: async (at, businessId) => expected(at, sessionView, await call(at, "GET", session(businessId))),
    list: async (at) => expected(at, sessionList, await call(at, "GET", "/sessions")),
    logout: async (at, businessId) => {
      try {
        await call(at, "DELETE", session(businessId));
      } catch (error) {
        if (error instanceof AppError && error.code === "not_found") return;
        throw error;
      }
    },
    sendBatch: async (at, businessId, messages) => {
      const answer = await call(at, "POST", `${session(businessId)}/messages`, { messages });
      const { results } = expected(at, batchResponse, answer);
      const inOrder = results.length === messages.length && results.every((result, i) => result.id === messages[i]!.id);
      if (!inOrder) throw broken(at, "gave results that do not match the batch");
      return results;
    },
    readJournal: async <S extends JournalStream>(at: ShardLocation, stream: S, limit = maxJournalPage) => {
      const answer = await call(at, "GET", `/journal/${stream}?limit=${limit}`);
      return sortEntries(stream, expected(at, journalPage, answer));
    },
    ackJournal: async (at, stream, through) => {
      await call(at, "POST", `/journal/${stream}/ack`, { through });
    },
  };
}

/** Parts the entries of a page that keep their schema from those that do not. */
function sortEntries<S extends JournalStream>(stream: S, { entries: raw, more }: z.infer<typeof journalPage>): JournalPage<S> {
  const schema = journalEntries[stream] as unknown as z.ZodType<JournalEntry<S>>;
  const page: JournalPage<S> = { entries: [], rejected: [], through: raw.at(-1)?.seq ?? null, more };
  for (const entry of raw) {
    const parsed = schema.safeParse(entry);
    if (parsed.success) page.entries.push(parsed.data);
    else
      page.rejected.push({
        seq: entry.seq,
        business_id: z.uuid().safeParse(entry["business_id"]).data ?? null,
        reason: faultsOf(parsed.error),
      });
  }
  return page;
}

function unreachable(at: ShardLocation, cause: unknown): AppError {
  const timedOut = cause instanceof Error && (cause.name === "TimeoutError" || cause.name === "AbortError");
  return timedOut
    ? new AppError("upstream_timeout", `Shard ${at.shard} did not answer in time; try again.`, { cause, retryAfterS: 2 })
    : new AppError("unavailable", `Shard ${at.shard} cannot be reached at present; try again shortly.`, { cause, retryAfterS: 2 });
}

function refusal(at: ShardLocation, response: Response, text: string): AppError {
  const said = problem.safeParse(parseOrNothing(text)).data;
  const why = said?.detail ?? said?.title ?? `HTTP ${response.status}`;
  const code = codeOfStatus.get(response.status) ?? "internal";
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterS = Number.isFinite(seconds) ? seconds : code === "unavailable" ? 2 : undefined;
  if (code === "internal") return broken(at, `answered ${response.status}: ${why}`);
  return new AppError(code, why, retryAfterS === undefined ? {} : { retryAfterS });
}

/** The shard does not keep the contract: our fault, so its words go into the cause and not to the caller. */
function broken(at: ShardLocation, what: string): AppError {
  return new AppError("internal", `Shard ${at.shard} gave an answer that was not understood.`, {
    cause: new Error(`shard ${at.shard} ${what}`),
  });
}

function expected<T>(at: ShardLocation, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw broken(at, `broke the contract: ${faultsOf(parsed.error)}`);
}

function faultsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
}

function parseJson(at: ShardLocation, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw broken(at, `did not answer JSON: ${messageOf(error)}`);
  }
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
