import { sleep } from "../../../lib/core/time.ts";
import type { CarrierFaults } from "./faults.ts";
import type { WebhookClient } from "./webhook.ts";

export type StatusReportOptions = {
  webhooks: WebhookClient;
  faults: CarrierFaults;
  /** Null: no status callbacks. */
  url: string | null;
  to: string;
};

/** Sends the status callbacks of one call, in order or distorted by a fault. */
export class StatusReports {
  readonly #options: StatusReportOptions;
  #held: URLSearchParams[] = [];
  #sequence = 0;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(options: StatusReportOptions) {
    this.#options = options;
  }

  report(form: URLSearchParams, isFinal: boolean): void {
    const { url, faults, to } = this.#options;
    if (url === null) return;
    form.set("SequenceNumber", String(this.#sequence++));
    form.set("Timestamp", new Date().toUTCString());
    form.set("CallbackSource", "call-progress-events");
    const fault = faults.strike("status", to);
    switch (fault?.mode) {
      case "lost":
        return;
      case "late":
        return void sleep(fault.ms).then(() => this.#send(url, form));
      case "doubled":
        this.#send(url, form);
        return this.#send(url, form);
      case "reversed":
        this.#held.unshift(form);
        if (isFinal) for (const held of this.#held.splice(0)) this.#send(url, held);
        return;
      default:
        this.#send(url, form);
    }
  }

  /** Resolves when all callbacks have been sent. */
  settled(): Promise<unknown> {
    return this.#sending;
  }

  #send(url: string, form: URLSearchParams): void {
    this.#sending = this.#sending.then(() => this.#options.webhooks.post(url, form));
  }
}
