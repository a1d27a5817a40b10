import type { BinaryNode, Contact, WAMessageKey, WASocket } from "@whiskeysockets/baileys";
import type { AccountBook } from "../accounts/account_book.ts";
import { maxLoggedId, truncate } from "../codec/bounds.ts";
import type { ConnectionControl, ConnectionOptions } from "../session/connection_options.ts";
import { envelopeOf } from "./decoder.ts";
import { belongsToChat, inboundWithout } from "./inbound.ts";
import type { Placeholder } from "./placeholders.ts";
import { requestContent } from "./request_content.ts";
import { untilDurable } from "./until_durable.ts";

/** Until a message without content is journaled as unavailable: its sender and the phone answer within seconds. */
const defaultUnavailableAfterMs = 60_000;
const maxCheckMs = 5_000;
/** Anyone can send garbage: the metric counts each drop, and the log names one a minute. */
const dropLogIntervalMs = 60_000;

type Options = Pick<ConnectionOptions, "placeholders" | "logger" | "events" | "unavailableAfterMs"> & {
  accounts: AccountBook;
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  control: ConnectionControl;
};

/**
 * The messages of one connection that arrived without their content. Requests it from the phone, and journals a message
 * whose content is overdue as unavailable.
 */
export class AwaitedContent {
  readonly #options: Options;
  #isReporting = false;
  #dropLoggedAt = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Records that a message lacks its content. WhatsApp forgets the message once Baileys has acknowledged it. */
  add(stanza: BinaryNode, reason: Placeholder["reason"], hasSession = false): void {
    const me = this.#options.me();
    if (me === undefined || stanza.attrs["category"] === "peer") return;
    const { key, pushName, messageTimestamp } = envelopeOf(stanza, me);
    if (!belongsToChat(key)) return;
    const added = { key, at: Number(messageTimestamp), push_name: pushName ?? undefined, reason };
    try {
      if (this.#options.placeholders.add(added, hasSession) === "over_share") this.#dropped(key);
    } catch (error) {
      this.#options.control.failVolume(error);
    }
  }

  /**
   * Requests, one by one, the content of placeholders that an earlier connection left. Until the connection ends, it
   * also checks for overdue content.
   */
  async watch(socket: WASocket): Promise<void> {
    const { unavailableAfterMs = defaultUnavailableAfterMs, control } = this.#options;
    const timer = setInterval(
      () => {
        if (control.isOver()) clearInterval(timer);
        else void this.#repeatOverdue(unavailableAfterMs, socket);
      },
      Math.min(maxCheckMs, unavailableAfterMs / 4),
    );
    await requestContent(socket, this.#options.placeholders.due(), this.#options);
  }

  /** Requests overdue content again: WhatsApp may have refused the request, or lost the answer. */
  async #repeatOverdue(waitMs: number, socket: WASocket): Promise<void> {
    await this.#reportOverdue(waitMs);
    // Best effort: the next connection requests it, too.
    await requestContent(socket, this.#options.placeholders.repeatable(waitMs), this.#options).catch(() => {});
  }

  /** Journals the messages whose content has not come in time. */
  async #reportOverdue(waitMs: number): Promise<void> {
    if (this.#isReporting) return;
    this.#isReporting = true;
    const { placeholders, events, accounts, control } = this.#options;
    try {
      for (const { id, key, at, push_name: pushName, reason } of placeholders.overdue(waitMs)) {
        const data = inboundWithout({ key, timestampS: at, pushName, accounts }, { type: "unavailable", reason });
        if (data) await untilDurable(events.unavailable(data), control);
        placeholders.report(id);
      }
    } catch {
      // The connection has ended with the fault; the next one reports them.
    } finally {
      this.#isReporting = false;
    }
  }

  #dropped({ remoteJid, participant }: WAMessageKey): void {
    this.#options.events.undecryptableDropped();
    const now = Date.now();
    if (now - this.#dropLoggedAt < dropLogIntervalMs) return;
    this.#dropLoggedAt = now;
    this.#options.logger.warn(
      { sender: truncate(participant || (remoteJid ?? ""), maxLoggedId) },
      "undecryptable messages beyond their sender's share were dropped",
    );
  }
}
