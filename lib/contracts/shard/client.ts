import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { broken, createShardCall, faultsOf, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";
import type { PacingSettings } from "./pacing.ts";
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
  sendBatch(
    at: ShardLocation,
    businessId: string,
    messages: BatchMessage[],
    pacing?: PacingSettings | null,
  ): Promise<SendResult[]>;
  /** The oldest entries that nobody acknowledged yet. */
  readJournal<S extends JournalStream>(at: ShardLocation, stream: S, limit?: number): Promise<JournalPage<S>>;
  /** Lets the shard forget the entries up to and including `through`: only after Postgres has them. */
  ackJournal(at: ShardLocation, stream: JournalStream, through: number): Promise<void>;
}

export function createShardClient(options: ShardClientOptions): ShardClient {
  const call = createShardCall(options);
  const session = (businessId: string) => `/sessions/${encodeURIComponent(businessId)}`;

  return {
    connect: async (at, businessId, request) =>
      jsonOf(at, sessionView, await call(at, "POST", `${session(businessId)}/connect`, { json: request })),
    view: async (at, businessId) => jsonOf(at, sessionView, await call(at, "GET", session(businessId))),
    list: async (at) => jsonOf(at, sessionList, await call(at, "GET", "/sessions")),
    logout: async (at, businessId) => {
      try {
        await call(at, "DELETE", session(businessId));
      } catch (error) {
        if (error instanceof AppError && error.code === "not_found") return;
        throw error;
      }
    },
    sendBatch: async (at, businessId, messages, pacing) => {
      const answer = await call(at, "POST", `${session(businessId)}/messages`, { json: { messages, pacing } });
      const { results } = await jsonOf(at, batchResponse, answer);
      const inOrder = results.length === messages.length && results.every((result, i) => result.id === messages[i]!.id);
      if (!inOrder) throw broken(at, "gave results that do not match the batch");
      return results;
    },
    readJournal: async <S extends JournalStream>(at: ShardLocation, stream: S, limit = maxJournalPage) => {
      const answer = await call(at, "GET", `/journal/${stream}?limit=${limit}`);
      return sortEntries(stream, await jsonOf(at, journalPage, answer));
    },
    ackJournal: async (at, stream, through) => {
      await call(at, "POST", `/journal/${stream}/ack`, { json: { through } });
    },
  };
}

/** Parts the entries of a page that keep their schema from those that do not. */
function sortEntries<S extends JournalStream>(
  stream: S,
  { entries: raw, more }: z.infer<typeof journalPage>,
): JournalPage<S> {
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
        entry,
      });
  }
  return page;
}
