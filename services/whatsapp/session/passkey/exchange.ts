import { getBinaryNodeChild, S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";
import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../../../../lib/core/errors.ts";
import type { PasskeyAssertion, PasskeyOptions } from "../../../../lib/contracts/shard/passkey.ts";
import { refusalCode } from "../../chats/query.ts";
import type { ConnectionControl, ConnectionOptions } from "../connection_options.ts";
import { assertionBody, checkAssertion } from "./assertion.ts";
import {
  confirmationCode,
  createPrologue,
  encryptionKeyOf,
  handoffKeyOf,
  handoffProof,
  parsePhoneIdentity,
  sealPairingRequest,
} from "./key_agreement.ts";
import type { Prologue } from "./key_agreement.ts";
import { defaultPasskeyTimes } from "./progress.ts";
import type { Handoff, PasskeyProgress, PasskeyTimes } from "./progress.ts";
import { optionsIn } from "./request_options.ts";

/** Requests that one connection handles. WhatsApp sends one. */
const maxRequests = 20;
/** Assertions that WhatsApp may refuse on one connection: each counts against the account. */
const maxRefusals = 3;
/** The longest lifetime of a challenge, whatever WhatsApp names; and the one if it names none. */
const longestChallengeMs = 5 * 60_000;
const usualChallengeMs = 60_000;
const maxRefBytes = 1024;

type Options = Pick<ConnectionOptions, "auth" | "events" | "handoff" | "logger"> & {
  times?: PasskeyTimes | undefined;
  socket: () => WASocket;
  control: ConnectionControl;
  /** Stops showing codes, because a phone has used one. */
  suspendCodes: () => void;
};

/**
 * Links one connection's login with a passkey of the account's owner.
 *
 *   requested ──▶ assertion ──assert──▶ phone ──▶ confirmation ──confirm──▶ linking ──▶ linked
 *                  ▲    │ expired        │ │                                 ▲
 *                  └────┴─ refused ──────┘ └── the phone accepts the proof ──┘
 */
export class PasskeyExchange {
  readonly #options: Options;
  readonly #times: PasskeyTimes;
  #handoff: Handoff | undefined;
  #progress: PasskeyProgress | undefined;
  #requests = 0;
  /** The challenge that was offered last. */
  #challenge: string | undefined;
  #refusals = 0;
  /** Digest of the assertion that was handed to WhatsApp. */
  #asserted: string | undefined;
  #prologue: (Prologue & { isProven: boolean }) | undefined;
  #encryptionKey: Buffer | undefined;
  #code: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the restarts: work of an earlier round changes nothing. */
  #round = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#times = options.times ?? defaultPasskeyTimes;
    this.#handoff = options.handoff;
  }

  /** Handles WhatsApp's request for a passkey. A later one replaces the challenge. */
  requested(stanza: BinaryNode): void {
    const { auth, logger, suspendCodes } = this.#options;
    if (stanza.attrs["from"] !== S_WHATSAPP_NET || this.#progress?.step === "linking") return;
    const options = optionsIn(stanza);
    if (options !== undefined && options.challenge === this.#challenge) return;
    if (this.#requests++ >= maxRequests) return;
    if (auth.paired) return logger.warn({}, "WhatsApp requests the passkey of an account that is linked: not answered");
    suspendCodes();
    this.#handoff ??= this.#stash();
    void this.#attempt(() => this.#offer(options));
  }

  /** Goes on with a link that an earlier connection began. False if there is none, or WhatsApp does not allow it. */
  async resume(): Promise<boolean> {
    if (this.#handoff === undefined || Date.now() >= this.#handoff.deadline) return false;
    const round = this.#restart();
    const options = await this.#fetchOptions().catch(() => undefined);
    if (round !== this.#round) return true;
    if (options === undefined) return false;
    this.#options.suspendCodes();
    await this.#offer(options, "The connection to WhatsApp was lost. Approve the passkey again.");
    return true;
  }

  /**
   * Hands the owner's assertion to WhatsApp; the same one again changes nothing.
   * @throws AppError "conflict" if none is requested now, or another one; "invalid_request".
   */
  assert(assertion: PasskeyAssertion): void {
    const digest = createHash("sha256").update(assertionBody(assertion)).digest("base64");
    if (this.#asserted === digest) return;
    const { step, options } = this.#progress ?? {};
    if (step !== "assertion" || options === undefined)
      throw new AppError("conflict", "No passkey is requested now: an assertion was accepted already, or none is due.");
    checkAssertion(assertion, options);
    this.#asserted = digest;
    const round = this.#restart();
    this.#set({ step: "phone", expiresAt: Date.now() + this.#times.phoneMs });
    this.#failAt("the phone did not answer: check its connection, and that WhatsApp lists fewer than four devices");
    void this.#attempt(() => this.#sendPrologue(assertion, round));
  }

  /** Handles the phone's answer to the prologue. */
  continued(stanza: BinaryNode): void {
    if (stanza.attrs["from"] !== S_WHATSAPP_NET || this.#progress?.step !== "phone") return;
    const prologue = this.#prologue;
    const content = getBinaryNodeChild(stanza, "primary_ephemeral_identity")?.content;
    if (prologue === undefined || !(content instanceof Uint8Array)) return;
    this.#prologue = undefined;
    const round = this.#restart();
    const phone = parsePhoneIdentity(content);
    const key = phone && encryptionKeyOf(prologue, phone);
    if (phone === undefined || key === undefined) return this.#fail("the phone's answer is malformed");
    this.#encryptionKey = key;
    this.#code = confirmationCode(prologue, phone);
    this.#failAt("WhatsApp did not accept the answer to the phone in time");
    void this.#attempt(async () => {
      await this.#query("set", { tag: "companion_nonce", attrs: {}, content: prologue.nonce });
      if (round !== this.#round) return;
      // The phone knows by the proof that this companion showed the code that its owner scanned or entered.
      if (prologue.isProven) return this.#attempt(() => this.#link());
      this.#set({ step: "confirmation", code: this.#code, expiresAt: this.#handoff!.deadline });
      this.#failAt("the code was not confirmed in time");
    });
  }

  /**
   * Links the phone, because it shows this code; the same code again changes nothing.
   * @throws AppError "conflict"
   */
  confirm(code: string): void {
    const step = this.#progress?.step;
    if (step === "linking" && code === this.#code) return;
    if (step !== "confirmation") throw new AppError("conflict", "No code is to be confirmed now.");
    if (code !== this.#code) {
      throw new AppError(
        "conflict",
        "The session's code is another one. If the phone shows this code, somebody may be in between: log out.",
      );
    }
    void this.#attempt(() => this.#link());
  }

  /** The connection is over, or a phone has linked it. */
  stop(): void {
    this.#restart();
    this.#progress = undefined;
    this.#encryptionKey = undefined;
  }

  /** Derives the proof's key from the secret that the phone knows, and replaces that secret. */
  #stash(): Handoff {
    const { creds } = this.#options.auth;
    const now = Date.now();
    const key = handoffKeyOf(Buffer.from(creds.advSecretKey, "base64"));
    creds.advSecretKey = randomBytes(32).toString("base64");
    return { key, keyUntil: now + this.#times.handoffMs, deadline: now + this.#times.windowMs };
  }

  async #offer(given: PasskeyOptions | undefined, reason?: string): Promise<void> {
    const round = this.#restart();
    const options = given ?? (await this.#fetchOptions());
    if (round !== this.#round) return;
    if (options === undefined)
      return this.#fail("WhatsApp requests the passkey in a form that this version cannot read: update the platform");
    const now = Date.now();
    const timeout = Math.max(this.#times.challengeMs, options.timeout ?? usualChallengeMs);
    const lifetime = Math.min(longestChallengeMs, timeout);
    const expiresAt = Math.min(now + lifetime, this.#handoff!.deadline);
    this.#set({ step: "assertion", options, expiresAt, reason });
    this.#after(expiresAt - now, () => void this.#attempt(() => this.#renew(reason)));
  }

  async #renew(reason: string | undefined): Promise<void> {
    if (Date.now() >= this.#handoff!.deadline) return this.#fail("the passkey was not approved in time");
    await this.#offer(undefined, reason);
  }

  async #sendPrologue(assertion: PasskeyAssertion, round: number): Promise<void> {
    const answer = await this.#query("get", { tag: "ref", attrs: {} });
    const ref = getBinaryNodeChild(answer, "ref")?.content;
    if (round !== this.#round) return;
    if (!(ref instanceof Uint8Array) || ref.length === 0 || ref.length > maxRefBytes)
      return this.#fail("WhatsApp gave no reference for the link");
    const prologue = createPrologue(Buffer.from(ref).toString("utf8"));
    const { key, keyUntil } = this.#handoff!;
    const isProven = Date.now() < keyUntil;
    this.#prologue = { ...prologue, isProven };
    const content = [
      { tag: "credential_id", attrs: {}, content: Buffer.from(assertion.rawId, "base64url") },
      { tag: "webauthn_assertion", attrs: {}, content: assertionBody(assertion) },
      { tag: "prologue_payload", attrs: {}, content: prologue.payload },
      ...(isProven ? [{ tag: "pairing_handoff_proof", attrs: {}, content: handoffProof(key, prologue) }] : []),
    ];
    await this.#query("set", { tag: "passkey_prologue", attrs: {}, content });
  }

  async #link(): Promise<void> {
    const key = this.#encryptionKey;
    if (key === undefined) return;
    this.#restart();
    this.#set({ step: "linking", expiresAt: Date.now() + this.#times.linkMs });
    this.#failAt("the phone did not finish the link in time");
    const content = sealPairingRequest(key, this.#options.auth.creds);
    await this.#query("set", { tag: "encrypted_pairing_request", attrs: {}, content });
  }

  /** Runs a step. WhatsApp's refusal of an assertion offers another challenge; any other ends the link. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    const { control } = this.#options;
    const work = step();
    // The synchronous part of a step begins its round.
    const round = this.#round;
    try {
      await work;
    } catch (error) {
      if (control.isOver() || round !== this.#round) return;
      const code = refusalCode(error);
      // Without an answer the connection is of no use; the next one goes on.
      if (code === undefined) return control.end(500);
      if (this.#progress?.step !== "phone" || this.#encryptionKey !== undefined)
        return this.#fail(`WhatsApp refused the link (${code})`);
      if (++this.#refusals >= maxRefusals)
        return this.#fail(`WhatsApp refused the passkey ${maxRefusals} times (${code})`);
      const refused = `WhatsApp refused the passkey (${code}): approve again, with this account's passkey`;
      await this.#attempt(() => this.#renew(refused));
    }
  }

  async #fetchOptions(): Promise<PasskeyOptions | undefined> {
    return optionsIn(await this.#query("get", { tag: "passkey_request_options", attrs: {} }));
  }

  #query(type: "get" | "set", content: BinaryNode): Promise<BinaryNode> {
    return this.#options.socket().query({
      tag: "iq",
      attrs: { to: S_WHATSAPP_NET, type, xmlns: "md" },
      content: [content],
    }) as Promise<BinaryNode>;
  }

  /** Cancels what waits. Returns the number of the new round. */
  #restart(): number {
    clearTimeout(this.#timer);
    return ++this.#round;
  }

  #set(progress: PasskeyProgress): void {
    if (progress.step === "assertion") {
      this.#challenge = progress.options?.challenge;
      this.#asserted = undefined;
      this.#prologue = undefined;
      this.#encryptionKey = undefined;
      this.#code = undefined;
    }
    this.#progress = progress;
    const { control, events } = this.#options;
    const handoff = this.#handoff!;
    control.endUnlessBy(handoff.deadline + this.#times.linkMs - Date.now());
    control.unlessOver(() => events.passkey(progress, handoff));
  }

  #failAt(reason: string): void {
    this.#after(this.#progress!.expiresAt - Date.now(), () => this.#fail(reason));
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    const round = this.#round;
    this.#timer = setTimeout(() => {
      if (round === this.#round) act();
    }, ms);
  }

  #fail(reason: string): void {
    this.stop();
    const { control, events } = this.#options;
    control.unlessOver(() => events.passkeyFailed(`${reason}; connect again for a new code`));
  }
}
