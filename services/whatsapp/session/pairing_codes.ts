import { S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { messageOf } from "../../../lib/core/errors.ts";
import type { ConnectionControl, ConnectionOptions } from "./connection_options.ts";

/** Baileys shows the first QR code for 60 s and each further one for 20 s. */
const qrLifetimesMs = [60_000, 20_000] as const;
/** A pairing code is valid for about one round of WhatsApp's references, 160 s. */
const codeLifetimeMs = 160_000;
/** Time for the next code, or for WhatsApp to announce that the codes are used up. */
const codeGraceMs = 30_000;
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
  /** The QR code on screen, as Baileys made it. */
  #qr: { text: string; expiresAt: number } | undefined;
  #linked: boolean;
  /** Refresh notifications to acknowledge once the pairing code's exchange has finished. */
  #deferredRefreshes: BinaryNode[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#linked = options.auth.paired;
  }

  /** Handles a QR reference of Baileys, which keeps renewing it until the connection ends, even after the link. */
  offered(qr: string): void {
    if (!this.#linked) void this.#show(qr);
  }

  /** A phone has linked this login. */
  linked(): void {
    this.#linked = true;
    this.#options.events.paired();
    for (const stanza of this.#deferredRefreshes.splice(0)) this.#acknowledge(stanza);
  }

  /**
   * Replaces the secret in the QR code, because WhatsApp retired it: draws a new code with the same reference, then
   * acknowledges the notification. The secret stays once a phone has linked, since the link was verified with it, and
   * while a pairing code is in use, since its exchange sets the secret. All of it runs synchronously, and so does
   * Baileys' verification of a link: the two never interleave.
   */
  refreshSecret(stanza: BinaryNode): void {
    const { auth, pairingPhone } = this.#options;
    if (stanza.attrs["from"] !== S_WHATSAPP_NET) return;
    if (!this.#linked && pairingPhone !== undefined) {
      if (this.#deferredRefreshes.length < maxDeferredRefreshes) this.#deferredRefreshes.push(stanza);
      return;
    }
    if (!this.#linked) {
      auth.creds.advSecretKey = randomBytes(32).toString("base64");
      if (this.#qr !== undefined) this.#draw(this.#qr.text, this.#qr.expiresAt);
    }
    this.#acknowledge(stanza);
  }

  async #show(qr: string): Promise<void> {
    const { pairingPhone: phone, events, control, socket } = this.#options;
    const nth = this.#shown++;
    const lifetimeMs = phone === undefined ? qrLifetimesMs[nth === 0 ? 0 : 1] : codeLifetimeMs;
    // Baileys renews the QR reference; the pairing code requested with the first reference stays valid.
    if (phone !== undefined && nth > 0) return;
    control.endUnlessBy(lifetimeMs + codeGraceMs);
    try {
      const code = phone === undefined ? qr : await socket().requestPairingCode(phone);
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

  /** Shows a QR code with the current secret: Baileys inserts the secret that was valid when the references arrived. */
  #draw(text: string, expiresAt: number): void {
    const { auth, events } = this.#options;
    this.#qr = { text, expiresAt };
    const [ref, noiseKey, identity, , ...rest] = text.split(",");
    events.shown("qr", [ref, noiseKey, identity, auth.creds.advSecretKey, ...rest].join(","), expiresAt);
  }

  #acknowledge({ tag, attrs: { id, from, type } }: BinaryNode): void {
    if (id === undefined || from === undefined) return;
    const ack = { tag: "ack", attrs: { id, to: from, class: tag, ...(type === undefined ? {} : { type }) } };
    this.#options
      .socket()
      .sendNode(ack)
      .catch((error: unknown) =>
        this.#options.logger.warn({ error: messageOf(error) }, "a notification could not be acknowledged"),
      );
  }
}

/** The code of WhatsApp's error answer; undefined if it did not answer. */
function refusalOf(error: unknown): number | undefined {
  const { data } = (error ?? {}) as { data?: unknown };
  return typeof data === "number" && data >= 400 && data <= 599 ? data : undefined;
}
