import { buildPairingQRData, getBinaryNodeChild, getBinaryNodeChildren, S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { messageOf } from "../../../lib/core/errors.ts";
import type { ConnectionControl, ConnectionOptions } from "./connection_options.ts";
import { browser } from "./socket_config.ts";

/** WhatsApp Web shows the first QR code for 60 s and each further one for 20 s. */
const qrLifetimesMs = [60_000, 20_000] as const;
/** A pairing code is valid for about one round of WhatsApp's references, 160 s. */
const codeLifetimeMs = 160_000;
/** Time for the next code, or for WhatsApp to announce that the codes are used up. */
const codeGraceMs = 30_000;
/** WhatsApp offers six. */
const maxRefs = 20;
/** WhatsApp sends one; more than a few indicate a fault. */
const maxDeferredRefreshes = 10;

type Options = Pick<ConnectionOptions, "auth" | "pairingPhone" | "events" | "logger"> & {
  socket: () => WASocket;
  control: ConnectionControl;
};

/** The QR codes and pairing codes of one connection, until a phone links the login. */
export class PairingCodes {
  readonly #options: Options;
  #shown = 0;
  #refs: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The QR code on screen. */
  #qr: { ref: string; expiresAt: number } | undefined;
  /** True once a phone has used a code: the secret in it must stay. */
  #suspended = false;
  #linked: boolean;
  /** Refresh notifications to acknowledge once the pairing code's exchange has finished. */
  #deferredRefreshes: BinaryNode[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#linked = options.auth.paired;
  }

  acknowledgeOffer({ attrs: { id } }: BinaryNode): void {
    if (id !== undefined) this.#send({ tag: "iq", attrs: { to: S_WHATSAPP_NET, type: "result", id } });
  }

  /** Shows one of the references after the other. The connection ends when all are used up. */
  offered(offer: BinaryNode): void {
    if (this.#linked || this.#suspended) return;
    const refs = getBinaryNodeChildren(getBinaryNodeChild(offer, "pair-device"), "ref");
    this.#refs = refs.slice(0, maxRefs).map(({ content }) => Buffer.from((content ?? "") as Uint8Array).toString());
    this.#next();
  }

  /** Shows no more codes: a phone has used one, or the connection is over. */
  suspend(): void {
    this.#suspended = true;
    this.#qr = undefined;
    clearTimeout(this.#timer);
  }

  /** A phone has linked this login. */
  linked(): void {
    this.#linked = true;
    clearTimeout(this.#timer);
    this.#options.events.paired();
    for (const stanza of this.#deferredRefreshes.splice(0)) this.#acknowledge(stanza);
  }

  /**
   * Replaces the secret in the QR code, because WhatsApp retired it: draws a new code with the same reference, then
   * acknowledges the notification. The secret stays once a phone has linked, since the link was verified with it; while
   * a pairing code is in use, since its exchange sets the secret; and while a passkey is, since its exchange has
   * replaced it. All of it runs synchronously, and so does Baileys' verification of a link: the two never interleave.
   */
  refreshSecret(stanza: BinaryNode): void {
    const { auth, pairingPhone } = this.#options;
    if (stanza.attrs["from"] !== S_WHATSAPP_NET) return;
    if (!this.#linked && !this.#suspended && pairingPhone !== undefined) {
      if (this.#deferredRefreshes.length < maxDeferredRefreshes) this.#deferredRefreshes.push(stanza);
      return;
    }
    if (!this.#linked && !this.#suspended) {
      auth.creds.advSecretKey = randomBytes(32).toString("base64");
      if (this.#qr !== undefined) this.#draw(this.#qr.ref, this.#qr.expiresAt);
    }
    this.#acknowledge(stanza);
  }

  #next(): void {
    const { pairingPhone: phone, control } = this.#options;
    const ref = this.#refs.shift();
    if (ref === undefined) return control.end(408);
    const nth = this.#shown++;
    const lifetimeMs = qrLifetimesMs[nth === 0 ? 0 : 1];
    this.#timer = setTimeout(() => this.#next(), lifetimeMs);
    // The reference expires; the pairing code that was requested with the first one stays valid.
    if (phone === undefined || nth === 0) void this.#show(ref, phone === undefined ? lifetimeMs : codeLifetimeMs);
  }

  async #show(ref: string, lifetimeMs: number): Promise<void> {
    const { pairingPhone: phone, events, control, socket } = this.#options;
    control.endUnlessBy(lifetimeMs + codeGraceMs);
    try {
      const code = phone === undefined ? ref : await socket().requestPairingCode(phone);
      const expiresAt = Date.now() + lifetimeMs;
      control.unlessOver(() =>
        phone === undefined ? this.#draw(code, expiresAt) : events.shown("code", code, expiresAt),
      );
    } catch (error) {
      const code = refusalOf(error);
      if (code === undefined) control.end(500);
      else control.unlessOver(() => events.codeRefused(code));
    }
  }

  /** Shows a QR code with the current secret. */
  #draw(ref: string, expiresAt: number): void {
    const { auth, events } = this.#options;
    const { noiseKey, signedIdentityKey, advSecretKey } = auth.creds;
    this.#qr = { ref, expiresAt };
    const keys = [noiseKey, signedIdentityKey].map((key) => Buffer.from(key.public).toString("base64"));
    events.shown("qr", buildPairingQRData(ref, keys[0]!, keys[1]!, advSecretKey, browser), expiresAt);
  }

  #acknowledge({ tag, attrs: { id, from, type } }: BinaryNode): void {
    if (id === undefined || from === undefined) return;
    this.#send({ tag: "ack", attrs: { id, to: from, class: tag, ...(type === undefined ? {} : { type }) } });
  }

  #send(stanza: BinaryNode): void {
    this.#options
      .socket()
      .sendNode(stanza)
      .catch((error: unknown) =>
        this.#options.logger.warn({ error: messageOf(error) }, "a stanza of the pairing could not be sent"),
      );
  }
}

/** The code of WhatsApp's error answer; undefined if it did not answer. */
function refusalOf(error: unknown): number | undefined {
  const { data } = (error ?? {}) as { data?: unknown };
  return typeof data === "number" && data >= 400 && data <= 599 ? data : undefined;
}
