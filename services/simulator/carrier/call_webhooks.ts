import { signingToken } from "./call_options.ts";
import type { CallContext, Request } from "./call_options.ts";
import { readDocument } from "./document.ts";
import type { Instruction } from "./document.ts";
import type { Answer } from "./webhook.ts";

/** Requests the instructions of one call from its webhooks. */
export class CallWebhooks {
  readonly #call: CallContext;

  constructor(call: CallContext) {
    this.#call = call;
  }

  /** The document of a URL, or of the fallback URL; null if neither answers with one. */
  async instructions({ url, extra }: Request): Promise<Instruction[] | null> {
    const answer = await this.#post(url, extra);
    const document = this.#read(url, answer);
    const { fallbackUrl } = this.#call.options.webhooks;
    if (document !== null || fallbackUrl === null || this.#call.over.aborted) return document;
    const error = { ErrorCode: answer.status === null ? "11205" : "11200", ErrorUrl: url };
    return this.#read(fallbackUrl, await this.#post(fallbackUrl, { ...extra, ...error }));
  }

  /** The form that every webhook of a call carries. */
  form(extra: Record<string, string> = {}): URLSearchParams {
    const { direction, from, to } = this.#call.options;
    return new URLSearchParams({
      AccountSid: this.#call.exchange.accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.#call.sid,
      CallStatus: this.#call.status(),
      Called: to,
      Caller: from,
      Direction: direction,
      From: from,
      To: to,
      ...extra,
    });
  }

  async #post(url: string, extra: Record<string, string>): Promise<Answer> {
    const { exchange, over, options: call } = this.#call;
    const form = this.form(extra);
    const options = { authToken: signingToken(this.#call), signal: over };
    const answer = await exchange.webhooks.post(url, form, options);
    return exchange.faults.strike("repeated_webhook", call.to) ? exchange.webhooks.post(url, form, options) : answer;
  }

  #read(url: string, answer: Answer): Instruction[] | null {
    const outcome = answer.status === null ? answer.error : String(answer.status);
    this.#call.note("asked", `${url} → ${outcome}`);
    if (answer.status === null || answer.status >= 300) return null;
    try {
      return readDocument(answer.text);
    } catch (error) {
      this.#call.note("no TwiML", String(error));
      return null;
    }
  }
}
