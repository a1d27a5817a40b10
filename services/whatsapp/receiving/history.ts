import { jidDecode, jidNormalizedUser, proto } from "@whiskeysockets/baileys";
import type { SignalDataSet, SignalKeyStore } from "@whiskeysockets/baileys";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createInflate } from "node:zlib";
import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { decrypted, download, HostRefusal, MediaMismatch, mediaKeys } from "../../../lib/media/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { writeContactSalt } from "../sending/contact_salt.ts";
import { isJid, lidJid } from "../codec/jid.ts";
import { HistoryRecords } from "./history_records.ts";
import type { HistoryChat } from "./history_records.ts";
import { historyShares, maxTurnWaitMs } from "./history_share.ts";
import type { HistoryShares } from "./history_share.ts";

/** A history in the notification itself; WhatsApp sends a few kilobytes. */
const maxInlineBytes = 1024 * 1024;
const maxInflatedInlineBytes = 4 * 1024 * 1024;
/** A history on the media host: months of chats of a busy account. */
const maxDownloadedBytes = 128 * 1024 * 1024;
const maxInflatedBytes = 512 * 1024 * 1024;
const inflateChunkBytes = 64 * 1024;
const defaultMediaHost = "mmg.whatsapp.net";
const downloadDeadlineMs = 5 * 60_000;
/** Histories that wait for their download. WhatsApp sends a handful after a link. */
const maxPending = 20;
const maxNotificationBytes = 16 * 1024;
/** Attempts that did not end, most likely because the content ended the process. */
const maxUnfinished = 3;
/** About two hours. */
const maxFailures = 12;
/** A transfer that was cut or altered looks like a broken file; one that the phone broke fails again. */
const maxMismatches = 2;
/** Delays after failures; the last one repeats. An outage of the host or of the proxy takes minutes. */
const defaultRetryDelaysMs = [60_000, 600_000];
/** A clock that was set back must not overflow the timer. */
const maxRetryTimerMs = 3_600_000;
/** Bounds the index of tokens, which is rewritten as a whole. */
const maxTokens = 20_000;
/** Bounds the time until the event loop turns while tokens are stored. */
const chatsPerSlice = 500;

const entry = "history";
/** Baileys' index of stored tokens, by which it removes expired ones. */
const tokenIndex = "__index";

const pendingHistory = z.object({
  notification: z.base64(),
  /** Attempts that did not end. */
  attempts: z.int().min(0),
  failures: z.int().min(0).default(0),
  /** Failures because of the content. */
  mismatches: z.int().min(0).default(0),
  /** Unix ms of the next attempt. */
  next_at: z.number().default(0),
});
type PendingHistory = z.infer<typeof pendingHistory>;

type Options = {
  businessId: string;
  store: () => Pick<AuthStore, "read" | "write"> | undefined;
  keys: SignalKeyStore;
  logger: Logger;
  /** The HTTP proxy through which the media host is reached. It holds credentials. */
  proxyUrl?: string | undefined;
  /** WhatsApp's media host, with a port unless it is 443. Default: mmg.whatsapp.net. */
  mediaHost?: string;
  /** Default: 5 minutes. */
  downloadDeadlineMs?: number;
  /** Default: 1 minute, then 10 minutes each. */
  retryDelaysMs?: readonly number[] | undefined;
  /** Default: those of the process. */
  shares?: HistoryShares;
};

/**
 * Takes the privacy tokens of contacts, and the salt of those for new ones, from the histories that the phone shares
 * after a link, and drops the rest. Without a token, WhatsApp may refuse a message with 463.
 *
 * A history in the notification is read before the notification is acknowledged. One on the media host is recorded
 * first and downloaded afterwards. A failed download is retried after a delay, by a later connection too.
 */
export class History {
  readonly #options: Options;
  readonly #stopped = new AbortController();
  #retry: NodeJS.Timeout | undefined;
  #reading = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** The phone shared a history. Resolves, and never rejects, once it is stored or recorded for its download. */
  async take(notification: proto.Message.IHistorySyncNotification): Promise<void> {
    const inline = notification.initialHistBootstrapInlinePayload;
    try {
      if (inline?.length) await this.#takeInline(inline);
      else if (notification.directPath) this.#record(notification);
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, "a shared history could not be read");
    }
    void this.readPending();
  }

  /** Downloads the recorded histories that are due, one after the other. A failure postpones the others. */
  async readPending(): Promise<void> {
    if (this.#reading || this.#stopped.signal.aborted) return;
    this.#reading = true;
    try {
      for (let next = this.#due(); next !== undefined; next = this.#due()) {
        if (!(await this.#download(next))) break;
      }
      this.#scheduleRetry();
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, "the recorded histories could not be read");
    } finally {
      this.#reading = false;
    }
  }

  /** The connection is over. Its successor downloads what is left. */
  stop(): void {
    clearTimeout(this.#retry);
    this.#stopped.abort(new Error("the connection ended"));
  }

  #due(now = Date.now()): PendingHistory | undefined {
    return this.#pending().find(({ next_at }) => next_at <= now);
  }

  #scheduleRetry(): void {
    clearTimeout(this.#retry);
    if (this.#stopped.signal.aborted) return;
    // The failed one is due last; those behind it have waited for the same host.
    const at = Math.max(...this.#pending().map(({ next_at }) => next_at));
    if (!Number.isFinite(at)) return;
    const inMs = Math.min(Math.max(0, at - Date.now()), maxRetryTimerMs);
    this.#retry = setTimeout(() => void this.readPending(), inMs);
  }

  async #takeInline(payload: Uint8Array): Promise<void> {
    if (payload.length > maxInlineBytes) throw new RangeError(`it has ${payload.length} bytes`);
    const deadline = new Deadline(this.#deadlineMs);
    const limits = { maxBytes: maxInflatedInlineBytes, deadline, signal: deadline.signal };
    await this.#storeAll(await chatsIn([payload], { ...limits, turn: this.#turnsOf("inline") }));
  }

  #record(notification: proto.Message.IHistorySyncNotification): void {
    const pending = this.#pending();
    if (pending.length >= maxPending) return;
    const bytes = proto.Message.HistorySyncNotification.encode(notification).finish();
    if (bytes.length > maxNotificationBytes) throw new RangeError(`its notification has ${bytes.length} bytes`);
    const recorded = Buffer.from(bytes).toString("base64");
    this.#write([...pending, { notification: recorded, attempts: 0, failures: 0, mismatches: 0, next_at: 0 }]);
  }

  /**
   * Resolves with false if the download failed and is retried later. A permanent failure is not retried. The attempt is
   * recorded first: a history that ends the process is given up.
   */
  async #download({ notification, attempts, failures, mismatches }: PendingHistory): Promise<boolean> {
    const { logger, retryDelaysMs = defaultRetryDelaysMs } = this.#options;
    const others = () => this.#pending().filter((each) => each.notification !== notification);
    if (attempts >= maxUnfinished || failures >= maxFailures) {
      logger.warn({ attempts, failures }, "a shared history was given up: its contacts may refuse messages with 463");
      this.#write(others());
      return true;
    }
    const next_at = Date.now() + (retryDelaysMs[failures] ?? retryDelaysMs.at(-1) ?? 0);
    this.#write([...others(), { notification, attempts: attempts + 1, failures, mismatches, next_at }]);
    try {
      await this.#read(proto.Message.HistorySyncNotification.decode(Buffer.from(notification, "base64")));
      this.#write(others());
      return true;
    } catch (error) {
      const mismatched = mismatches + (isMismatch(error) ? 1 : 0);
      if (isPermanent(error) || mismatched >= maxMismatches) {
        logger.warn(
          { error: messageOf(error) },
          "a shared history cannot be read and was given up: its contacts may refuse messages with 463",
        );
        this.#write(others());
        return true;
      }
      logger.warn({ error: messageOf(error), failures }, "a shared history could not be downloaded");
      this.#write([...others(), { notification, attempts, failures: failures + 1, mismatches: mismatched, next_at }]);
      return false;
    }
  }

  /** Stores nothing before the whole file is authenticated. */
  async #read(notification: proto.Message.HistorySyncNotification): Promise<void> {
    const { mediaKey, directPath, fileSha256, fileEncSha256 } = notification;
    if (!mediaKey?.length || !directPath || !fileSha256?.length || !fileEncSha256?.length)
      throw new NoFile("the notification names no file");
    const { mediaHost = defaultMediaHost, proxyUrl: proxy } = this.#options;
    const deadline = new Deadline(this.#deadlineMs);
    const signal = AbortSignal.any([deadline.signal, this.#stopped.signal]);
    const file = decrypted(download(mediaHost, directPath, { signal, proxy }), {
      keys: mediaKeys(mediaKey, "history"),
      fileSha256,
      fileEncSha256,
      maxBytes: maxDownloadedBytes,
    });
    const limits = { maxBytes: maxInflatedBytes, deadline, signal };
    await this.#storeAll(await chatsIn(file, { ...limits, turn: this.#turnsOf("downloaded") }));
  }

  #turnsOf(kind: keyof HistoryShares): Turn {
    const { businessId, shares = historyShares } = this.#options;
    return async (bytes) => {
      if (!(await shares[kind].take(businessId, bytes, maxTurnWaitMs))) throw new Error("no turn came in time");
    };
  }

  get #deadlineMs(): number {
    return this.#options.downloadDeadlineMs ?? downloadDeadlineMs;
  }

  async #storeAll({ chats, contactSalt }: Shared): Promise<void> {
    const store = this.#options.store();
    if (store !== undefined && contactSalt !== undefined) writeContactSalt(store, contactSalt);
    for (let at = 0; at < chats.length; at += chatsPerSlice) {
      if (at > 0) await nextTurn();
      await this.#store(chats.slice(at, at + chatsPerSlice));
    }
  }

  /** Stores tokens as Baileys does for other sources, under each name of the contact. */
  async #store(chats: HistoryChat[]): Promise<void> {
    const { keys } = this.#options;
    const tokens = new Map<string, SignalTokens[string]>();
    for (const { id, pnJid, lidJid, tcToken, tcTokenTimestamp, tcTokenSenderTimestamp } of chats) {
      if (tcToken === undefined || !isTime(tcTokenTimestamp)) continue;
      const token = {
        token: tcToken,
        timestamp: String(tcTokenTimestamp),
        ...(isTime(tcTokenSenderTimestamp) ? { senderTimestamp: tcTokenSenderTimestamp } : {}),
      };
      for (const name of await this.#namesOf([id, pnJid, lidJid])) tokens.set(name, token);
    }
    if (tokens.size === 0) return;
    const known = await keys.get("tctoken", [...tokens.keys(), tokenIndex]);
    const names = new Set(indexOf(known[tokenIndex]?.token));
    const fresh = [...tokens]
      .filter(([name, { timestamp }]) => Number(known[name]?.timestamp ?? 0) < Number(timestamp))
      .slice(0, Math.max(0, maxTokens - names.size));
    if (fresh.length === 0) return;
    for (const [name] of fresh) names.add(name);
    const index = { token: Buffer.from(JSON.stringify([...names])) };
    const data: SignalDataSet = { tctoken: { ...Object.fromEntries(fresh), [tokenIndex]: index } };
    await keys.set(data);
  }

  /** A contact's names, with the LID that the store knows for its number. */
  async #namesOf(jids: (string | null | undefined)[]): Promise<Set<string>> {
    const names = new Set<string>();
    for (const jid of jids) {
      const name = jidNormalizedUser(jid ?? undefined);
      if (!isJid(name) || name.endsWith("@g.us")) continue;
      names.add(name);
      const { user } = jidDecode(name)!;
      const lid = name.endsWith("@lid") ? undefined : (await this.#options.keys.get("lid-mapping", [user]))[user];
      if (lid !== undefined) names.add(lidJid(lid));
    }
    return names;
  }

  #pending(): PendingHistory[] {
    const stored = this.#options.store()?.read(entry);
    return stored === undefined
      ? []
      : z
          .array(pendingHistory)
          .catch([])
          .parse(JSON.parse(stored.toString("utf8")));
  }

  #write(pending: PendingHistory[]): void {
    const value = pending.length === 0 ? null : Buffer.from(JSON.stringify(pending));
    this.#options.store()?.write([[entry, value]]);
  }
}

class NoFile extends Error {}

/** True if no later attempt can succeed: the host lost the file, or there is none. */
const isPermanent = (error: unknown): boolean =>
  error instanceof HostRefusal ? error.isGone : error instanceof NoFile;

/** True if the content breaks the format or a limit. It is inflated before its end proves that no one altered it. */
function isMismatch(error: unknown): boolean {
  if (error instanceof MediaMismatch || error instanceof RangeError) return true;
  // Of zlib: the content is no deflated stream.
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}

type SignalTokens = Record<string, { token: Buffer; timestamp: string; senderTimestamp?: number }>;

/** Waits until the business may read `bytes`. */
type Turn = (bytes: number) => Promise<void>;

/** Aborts its signal after `ms`, without the time for which it was paused. */
class Deadline {
  readonly #controller = new AbortController();
  #leftMs: number;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#leftMs = ms;
    this.resume();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  pause(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#startedAt;
  }

  resume(): void {
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => this.#controller.abort(new Error("the history took too long")), this.#leftMs);
    this.#timer.unref();
  }
}

type ReadOptions = { maxBytes: number; deadline: Deadline; signal: AbortSignal; turn: Turn };

/** The used parts of a history: its chats with a token, maxTokens at most, and the account's salt. */
type Shared = { chats: HistoryChat[]; contactSalt: Uint8Array | undefined };

/** Inflates a history in turns with other businesses'. Rejects when the signal aborts. */
async function chatsIn(
  deflated: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { maxBytes, deadline, signal, turn }: ReadOptions,
): Promise<Shared> {
  const records = new HistoryRecords();
  const chats: HistoryChat[] = [];
  let inflated = 0;
  const consume = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) {
      inflated += chunk.length;
      if (inflated > maxBytes) throw new RangeError("the history is too long");
      deadline.pause();
      await turn(chunk.length);
      deadline.resume();
      const found = records.push(chunk).filter(({ tcToken }) => tcToken?.length);
      chats.push(...found.slice(0, maxTokens - chats.length));
    }
  };
  // Destroys every stream when one fails.
  try {
    await pipeline(deflated, createInflate({ chunkSize: inflateChunkBytes }), consume, { signal });
  } finally {
    deadline.pause();
  }
  return { chats, contactSalt: records.contactSalt };
}

const isTime = (seconds: number | undefined): seconds is number => Number.isSafeInteger(seconds) && seconds! > 0;

function indexOf(stored: Uint8Array | undefined): string[] {
  if (stored === undefined) return [];
  const parsed = z.array(z.string()).safeParse(jsonOrUndefined(Buffer.from(stored).toString("utf8")));
  return parsed.success ? parsed.data : [];
}
