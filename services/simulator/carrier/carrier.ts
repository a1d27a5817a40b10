import { createHash } from "node:crypto";
import { AppError } from "../../../lib/core/errors.ts";
import { SimulatedCall } from "./call.ts";
import type { CallOptions, Exchange, Webhooks } from "./call.ts";
import { CarrierFaults } from "./faults.ts";
import { Pacer } from "./pacer.ts";
import { Recordings } from "./recordings.ts";
import { createWebhookClient } from "./webhook.ts";

export type CarrierOptions = {
  /** The account's shared secret. */
  authToken: string;
  /** Made of the secret where it is absent. */
  accountSid?: string | undefined;
  /** The calls service as seen from outside: what numbers call that were not set up. */
  publicUrl?: string | undefined;
  /** PEM of an authority to trust besides the system's. */
  ca?: string | undefined;
  /** Where this carrier's REST API is, as others see it. */
  baseUrl: () => string;
  msPerLetter?: number;
};

/** Calls that are kept after their end, to be looked at. */
const keptCalls = 20_000;

/** The voice carrier: numbers, calls, recordings and what goes wrong with them. */
export class Carrier {
  readonly accountSid: string;
  readonly authToken: string;
  readonly faults = new CarrierFaults();
  readonly recordings: Recordings;
  readonly #exchange: Exchange;
  readonly #publicUrl: string | undefined;
  readonly #numbers = new Map<string, Webhooks>();
  readonly #callees = new Map<string, CallOptions["callee"]>();
  readonly #calls = new Map<string, SimulatedCall>();

  constructor({ authToken, accountSid, publicUrl, ca, baseUrl, msPerLetter = 20 }: CarrierOptions) {
    this.authToken = authToken;
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
      msPerLetter,
    };
  }

  /** Sets up whom a number of the account calls. */
  setNumber(number: string, webhooks: Webhooks): void {
    this.#numbers.set(number, webhooks);
  }

  /** Decides how a stranger's telephone takes the calls that the account places. */
  setCallee(number: string, callee: CallOptions["callee"]): void {
    this.#callees.set(number, callee);
  }

  /** Somebody calls one of the account's numbers. */
  dialIn(call: Pick<CallOptions, "from" | "to" | "durationS" | "digits" | "audio" | "onAudio">): SimulatedCall {
    return this.#begin({
      ...call,
      direction: "inbound",
      webhooks: this.#webhooksOf(call.to),
      callee: { outcome: "answer", ringMs: 0 },
    });
  }

  /** The account places a call, over the REST API. */
  dialOut(call: { from: string; to: string; webhooks: Webhooks }): SimulatedCall {
    const callee = this.#callees.get(call.to) ?? { outcome: "answer", ringMs: 200 };
    return this.#begin({ ...call, direction: "outbound-api", callee, durationS: null, digits: "" });
  }

  get(sid: string): SimulatedCall | undefined {
    return this.#calls.get(sid);
  }

  calls(): SimulatedCall[] {
    return [...this.#calls.values()];
  }

  /** Hangs up every call and waits until everybody was told. */
  async stop(): Promise<void> {
    for (const call of this.#calls.values()) call.hangUp();
    await Promise.all(this.calls().map((call) => call.done));
  }

  #begin(options: CallOptions): SimulatedCall {
    const call = new SimulatedCall(this.#exchange, options);
    this.#calls.set(call.sid, call);
    if (this.#calls.size > keptCalls) this.#calls.delete(this.#calls.keys().next().value!);
    return call;
  }

  #webhooksOf(number: string): Webhooks {
    const known = this.#numbers.get(number);
    if (known) return known;
    if (this.#publicUrl === undefined)
      throw new AppError("not_found", `The number ${number} is not set up; PUT /numbers/${number} first.`);
    const base = `${this.#publicUrl}/webhooks/twilio`;
    return { voiceUrl: `${base}/voice`, fallbackUrl: `${base}/fallback`, statusUrl: `${base}/status` };
  }
}
