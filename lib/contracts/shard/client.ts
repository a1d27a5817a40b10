import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { contractBreach, createShardCall, faultsOf, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";
import type { PacingSettings } from "./pacing.ts";
import type { PasskeyAssertion } from "./passkey.ts";
import { batchResponse, journalEntries, journalPage, maxJournalPage, sessionList, sessionView } from "./schemas.ts";
import type {
  BatchMessage,
  ConnectRequest,
  JournalEntry,
  JournalPage,
  JournalStream,
  SendResult,
  SessionAction,
  SessionList,
  SessionSettings,
  SessionView,
} from "./schemas.ts";

/**
 * The client of a shard's internal API. Every method throws `AppError`:
 *   "unavailable"       the shard cannot be reached, is starting or is full, or the session is not open. `retryAfterS`
 *                       is set if the shard sent it. Every message that was sent is in the ledger.
 *   "upstream_timeout"  the answer timed out and the outcome is unknown; a retry is harmless
 *   "conflict"          the session is not paired, or its state does not allow the request
 *   "not_found"         the shard has no such session
 *   "internal"          the answer breaks the contract
 */
export interface ShardClient {
  connect(at: ShardLocation, businessId: string, request: ConnectRequest): Promise<SessionView>;
  view(at: ShardLocation, businessId: string): Promise<SessionView>;
  list(at: ShardLocation): Promise<SessionList>;
  /** Hands WhatsApp the owner's assertion. The same one again changes nothing. */
  assertPasskey(at: ShardLocation, businessId: string, assertion: PasskeyAssertion): Promise<SessionView>;
  /** Confirms that the phone shows this code. The same one again changes nothing. */
  confirmPasskey(at: ShardLocation, businessId: string, code: string): Promise<SessionView>;
  /** Changes the settings that a session keeps until it logs out. A missing session gets them with `connect`. */
  configure(at: ShardLocation, businessId: string, settings: SessionSettings): Promise<void>;
  /** Stops, starts or restarts a session without logging out. */
  control(at: ShardLocation, businessId: string, action: SessionAction): Promise<SessionView>;
  /** Logs out and archives the auth state. A missing session counts as logged out. */
  logout(at: ShardLocation, businessId: string): Promise<void>;
  /** Sends at most 50 messages, in order. Returns one result for each, in the same order. */
  sendBatch(
    at: ShardLocation,
    businessId: string,
    messages: BatchMessage[],
    pacing?: PacingSettings | null,
  ): Promise<SendResult[]>;
  /** Reads the oldest unacknowledged entries. */
  readJournal<S extends JournalStream>(at: ShardLocation, stream: S, limit?: number): Promise<JournalPage<S>>;
  /** Acknowledges the entries through `through`, once Postgres has them. The shard then deletes them. */
  ackJournal(at: ShardLocation, stream: JournalStream, through: number): Promise<void>;
}

export function createShardClient(options: ShardClientOptions): ShardClient {
  const call = createShardCall(options);
  const session = (businessId: string) => `/sessions/${encodeURIComponent(businessId)}`;

  return {
    connect: async (at, businessId, request) =>
      jsonOf(at, sessionView, await call(at, "POST", `${session(businessId)}/connect`, { json: request })),
    configure: async (at, businessId, json) => {
      await unlessMissing(call(at, "PUT", `${session(businessId)}/settings`, { json }));
    },
    control: async (at, businessId, action) =>
      jsonOf(at, sessionView, await call(at, "POST", `${session(businessId)}/${action}`)),
    view: async (at, businessId) => jsonOf(at, sessionView, await call(at, "GET", session(businessId))),
    assertPasskey: async (at, businessId, json) =>
      jsonOf(at, sessionView, await call(at, "POST", `${session(businessId)}/passkey/assertion`, { json })),
    confirmPasskey: async (at, businessId, code) =>
      jsonOf(at, sessionView, await call(at, "POST", `${session(businessId)}/passkey/confirm`, { json: { code } })),
    list: async (at) => jsonOf(at, sessionList, await call(at, "GET", "/sessions")),
    logout: async (at, businessId) => {
      await unlessMissing(call(at, "DELETE", session(businessId)));
    },
    sendBatch: async (at, businessId, messages, pacing) => {
      const answer = await call(at, "POST", `${session(businessId)}/messages`, {
        json: { messages, pacing, follows_accounts: true },
      });
      const { results } = await jsonOf(at, batchResponse, answer);
      const inOrder = results.length === messages.length && results.every((result, i) => result.id === messages[i]!.id);
      if (!inOrder) throw contractBreach(at, "sent results that do not match the batch");
      return results;
    },
    readJournal: async <S extends JournalStream>(at: ShardLocation, stream: S, limit = maxJournalPage) => {
      const answer = await call(at, "GET", `/journal/${stream}?limit=${limit}`);
      return validateEntries(stream, await jsonOf(at, journalPage, answer));
    },
    ackJournal: async (at, stream, through) => {
      await call(at, "POST", `/journal/${stream}/ack`, { json: { through } });
    },
  };
}

async function unlessMissing(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof AppError && error.code === "not_found")) throw error;
  }
}

/** Splits a page into valid entries and entries that break their schema. */
function validateEntries<S extends JournalStream>(
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
