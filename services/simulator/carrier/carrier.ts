import { createHash } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { SimulatedCall } from "./call.ts";
import type { CallOptions, Exchange, Webhooks } from "./call_options.ts";
import { CarrierFaults } from "./faults.ts";
import { Pacer } from "./pacer.ts";
import { Recordings } from "./recordings.ts";
import { createWebhookClient } from "./webhook.ts";

export type CarrierOptions = {
  /** The account's shared secret. */
  authToken: string;
  /** Accepted beside it, during a rotation. */
  secondaryTokens?: readonly string[];
  /** Unset: derived from the secret. */
  accountSid?: string | undefined;
  /** Public URL of the calls service: the webhooks of numbers without settings of their own. */
  publicUrl?: string | undefined;
  /** PEM of another CA to trust. */
  ca?: string | undefined;
  /** Public base URL of this carrier's REST API. */
  baseUrl: () => string;
  msPerCharacter?: number;
};

/** Most calls, ended ones included, that the control API can show. */
const maxCalls = 20_000;

/** The voice carrier: its numbers, calls, recordings and faults. */
export class Carrier {
  readonly accountSid: string;
  readonly authTokens: readonly string[];
  readonly faults = new CarrierFaults();
  readonly recordings: Recordings;
  readonly #exchange: Exchange;
  readonly #publicUrl: string | undefined;
  readonly #numbers = new Map<string, Webhooks>();
  readonly #callees = new Map<string, CallOptions["callee"]>();
  readonly #calls = new Map<string, SimulatedCall>();

  constructor({
    authToken,
    secondaryTokens = [],
    accountSid,
    publicUrl,
    ca,
    baseUrl,
    msPerCharacter = 20,
  }: CarrierOptions) {
    this.authTokens = [authToken, ...secondaryTokens];
    this.accountSid = accountSid ?? `AC${createHash("md5").update(authToken).digest("hex")}`;
    this.#publicUrl = publicUrl?.replace(/\/+$/, "");
    const webhooks = createWebhookClient({ authToken, ca });
    this.recordings = new Recordings({ webhooks, faults: this.faults, accountSid: this.accountSid, baseUrl });
    this.#exchange = {
      accountSid: this.accountSid,
      authToken,
      ca,
      webhooks,
      faults: this.faults,
      pacer: new Pacer(),
      recordings: this.recordings,
      msPerCharacter,
    };
  }

  /** Sets the webhooks of one of the account's numbers. */
  setNumber(number: string, webhooks: Webhooks): void {
    this.#numbers.set(number, webhooks);
  }

  /** Sets how a called party reacts to the account's outbound calls. */
  setCallee(number: string, callee: CallOptions["callee"]): void {
    this.#callees.set(number, callee);
  }

  /** Starts an inbound call to one of the account's numbers. */
  dialIn(call: Pick<CallOptions, "from" | "to" | "durationS" | "digits" | "audio" | "onAudio">): SimulatedCall {
    return this.#start({
      ...call,
      direction: "inbound",
      webhooks: this.#webhooksOf(call.to),
      callee: { outcome: "answer", ringMs: 0 },
    });
  }

  /** Starts an outbound call, as the account requests it over the REST API. */
  dialOut(call: { from: string; to: string; webhooks: Webhooks }): SimulatedCall {
    const callee = this.#callees.get(call.to) ?? { outcome: "answer", ringMs: 200 };
    return this.#start({ ...call, direction: "outbound-api", callee, durationS: null, digits: "" });
  }

  get(sid: string): SimulatedCall | undefined {
    return this.#calls.get(sid);
  }

  calls(): SimulatedCall[] {
    return [...this.#calls.values()];
  }

  /** Hangs up every call and waits until all status callbacks were sent. */
  async stop(): Promise<void> {
    for (const call of this.#calls.values()) call.hangUp();
    await Promise.all(this.calls().map((call) => call.done));
  }

  #start(options: CallOptions): SimulatedCall {
    const call = new SimulatedCall(this.#exchange, options);
    this.#calls.set(call.sid, call);
    if (this.#calls.size > maxCalls) this.#calls.delete(this.#calls.keys().next().value!);
    return call;
  }

  #webhooksOf(number: string): Webhooks {
    const known = this.#numbers.get(number);
    if (known) return known;
    if (this.#publicUrl === undefined)
      throw new AppError("not_found", `The number ${number} has no webhooks; set them with PUT /numbers/${number}.`);
    const base = `${this.#publicUrl}/webhooks/twilio`;
    return { voiceUrl: `${base}/voice`, fallbackUrl: `${base}/fallback`, statusUrl: `${base}/status` };
  }
}
