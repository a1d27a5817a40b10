import { proto } from "@whiskeysockets/baileys";
import type { SignalKeyStore } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { writeHistorySalt } from "../sending/contact_salt.ts";
import { storeContactTokens } from "./contact_tokens.ts";
import { isMismatch, isPermanent, readFromHost, readInline } from "./history_content.ts";
import type { HistoryContent, ReadOptions } from "./history_content.ts";
import { historyShares, maxTurnWaitMs } from "./history_share.ts";
import type { HistoryShares } from "./history_share.ts";
import { PendingHistories } from "./pending_histories.ts";
import type { PendingHistory } from "./pending_histories.ts";

const defaultDownloadDeadlineMs = 5 * 60_000;
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
  readonly #pending: PendingHistories;
  readonly #stopped = new AbortController();
  #retry: NodeJS.Timeout | undefined;
  #reading = false;

  constructor(options: Options) {
    this.#options = options;
    this.#pending = new PendingHistories(options.store);
  }

  /** The phone shared a history. Resolves, and never rejects, once it is stored or recorded for its download. */
  async take(notification: proto.Message.IHistorySyncNotification): Promise<void> {
    const inline = notification.initialHistBootstrapInlinePayload;
    try {
      if (inline?.length) await this.#store(await readInline(inline, this.#readOptions("inline")));
      else if (notification.directPath) this.#pending.add(notification);
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
      for (let next = this.#pending.due(); next !== undefined; next = this.#pending.due()) {
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

  #scheduleRetry(): void {
    clearTimeout(this.#retry);
    if (this.#stopped.signal.aborted) return;
    // The failed one is due last; those behind it have waited for the same host.
    const at = this.#pending.lastAttemptAt();
    if (at === undefined) return;
    const inMs = Math.min(Math.max(0, at - Date.now()), maxRetryTimerMs);
    this.#retry = setTimeout(() => void this.readPending(), inMs);
  }

  /**
   * Resolves with false if the download failed and is retried later. A permanent failure is not retried. The attempt is
   * recorded first: a history that ends the process is given up.
   */
  async #download(pending: PendingHistory): Promise<boolean> {
    const { logger, retryDelaysMs = defaultRetryDelaysMs } = this.#options;
    const { notification, attempts, failures } = pending;
    if (attempts >= maxUnfinished || failures >= maxFailures) {
      logger.warn({ attempts, failures }, "a shared history was given up: its contacts may refuse messages with 463");
      this.#pending.remove(pending);
      return true;
    }
    const next_at = Date.now() + (retryDelaysMs[failures] ?? retryDelaysMs.at(-1) ?? 0);
    this.#pending.put({ ...pending, attempts: attempts + 1, next_at });
    try {
      await this.#read(proto.Message.HistorySyncNotification.decode(Buffer.from(notification, "base64")));
      this.#pending.remove(pending);
      return true;
    } catch (error) {
      const mismatches = pending.mismatches + (isMismatch(error) ? 1 : 0);
      if (isPermanent(error) || mismatches >= maxMismatches) {
        logger.warn(
          { error: messageOf(error) },
          "a shared history cannot be read and was given up: its contacts may refuse messages with 463",
        );
        this.#pending.remove(pending);
        return true;
      }
      logger.warn({ error: messageOf(error), failures }, "a shared history could not be downloaded");
      this.#pending.put({ ...pending, failures: failures + 1, mismatches, next_at });
      return false;
    }
  }

  async #read(notification: proto.Message.HistorySyncNotification): Promise<void> {
    const { mediaHost, proxyUrl: proxy } = this.#options;
    const host = { mediaHost, proxy, stopped: this.#stopped.signal };
    await this.#store(await readFromHost(notification, { ...host, ...this.#readOptions("downloaded") }));
  }

  #readOptions(kind: keyof HistoryShares): ReadOptions {
    const { businessId, shares = historyShares, downloadDeadlineMs = defaultDownloadDeadlineMs } = this.#options;
    return {
      deadlineMs: downloadDeadlineMs,
      turn: async (bytes) => {
        if (!(await shares[kind].take(businessId, bytes, maxTurnWaitMs))) throw new Error("no turn came in time");
      },
    };
  }

  async #store({ chats, contactSalt }: HistoryContent): Promise<void> {
    const store = this.#options.store();
    if (store !== undefined && contactSalt !== undefined) writeHistorySalt(store, contactSalt);
    await storeContactTokens(this.#options.keys, chats);
  }
}
