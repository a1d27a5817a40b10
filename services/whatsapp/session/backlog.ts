import type { BinaryNode } from "@whiskeysockets/baileys";

/** WhatsApp Web pauses as long between two requests. */
const defaultPauseMs = 100;

/** The stanza that requests a batch of the backlog, as large as the first one, which Baileys requests. */
export const batchRequest: BinaryNode = {
  tag: "ib",
  attrs: {},
  content: [{ tag: "offline_batch", attrs: { count: "100" } }],
};

type Options = { request: () => void; pauseMs?: number };

/**
 * Requests the backlog of a login. WhatsApp sends a few stanzas by itself and the others in batches, each on request;
 * everything that arrives later waits behind them. Baileys requests the first batch only: a longer backlog would never
 * be delivered, and the session would be deaf. As WhatsApp Web does, each batch that begins to arrive leads to the
 * request for the next one, until WhatsApp says that the backlog is complete.
 *
 *   idle ──announced──▶ requested ──a stanza──▶ arriving ──after a pause──▶ requested ──complete──▶ idle
 */
export class Backlog {
  readonly #options: Options;
  #isRequested = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** A stanza from WhatsApp arrived, of any kind. */
  arrived({ tag, attrs, content }: Partial<BinaryNode>): void {
    const child = tag === "ib" && Array.isArray(content) ? content[0]?.tag : undefined;
    if (child === "offline_preview") this.#isRequested = true;
    else if (child === "offline") this.stop();
    else if (attrs?.["offline"] !== undefined) this.#continue();
  }

  stop(): void {
    this.#isRequested = false;
    clearTimeout(this.#timer);
  }

  #continue(): void {
    if (!this.#isRequested) return;
    this.#isRequested = false;
    this.#timer = setTimeout(() => {
      this.#isRequested = true;
      this.#options.request();
    }, this.#options.pauseMs ?? defaultPauseMs);
  }
}
