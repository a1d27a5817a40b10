import type { Metrics } from "../../lib/runtime/metrics.ts";
import type { ProxyHealth } from "../../lib/egress/index.ts";
import { MinuteRate } from "./minute_rate.ts";
import type { PasskeyStep } from "../../lib/contracts/shard/passkey.ts";
import type { SessionStatus } from "../../lib/contracts/shard/schemas.ts";
import { sessionStatus } from "../../lib/contracts/shard/schemas.ts";

/** Names of unknown stanzas that are counted and logged apart; a new version of WhatsApp Web brings a few. */
const maxUnknownNames = 50;

/** Values read at each scrape. */
export type ShardGauges = {
  sessions(): Iterable<{ status: SessionStatus }>;
  journalDepth(): Record<string, number>;
};

/** The shard's metrics. */
export class ShardMetrics {
  readonly #results;
  readonly #seconds;
  readonly #received;
  readonly #ended;
  readonly #alarms;
  readonly #passkeySteps;
  readonly #deaf;
  readonly #undecryptable;
  readonly #undecryptableDropped;
  readonly #quarantined;
  readonly #unavailable;
  readonly #statuses;
  readonly #stanzaFailures;
  readonly #unknownStanzas;
  readonly #unknownNames = new Set<string>();
  readonly #rate = new MinuteRate();
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#results = metrics.counter("whatsapp_sends_total", "Messages that WhatsApp's server answered.", ["result"]);
    this.#seconds = metrics.histogram("whatsapp_ack_seconds", "From handing a message over to WhatsApp's answer.");
    this.#received = metrics.counter("whatsapp_received_total", "Messages received and journaled.");
    this.#ended = metrics.counter("whatsapp_connections_ended_total", "Ends of connections by status.", ["code"]);
    // A series that began with the first refusal would hide it from increase() in nomad/monitoring/rules.yml.
    this.#ended.inc({ code: "405" }, 0);
    this.#deaf = metrics.counter(
      "whatsapp_deaf_connections_total",
      "Open connections that delivered nothing and did not answer a probe.",
    );
    this.#undecryptable = metrics.counter(
      "whatsapp_decrypt_failures_total",
      "Messages received that could not be decrypted.",
    );
    this.#undecryptableDropped = metrics.counter(
      "whatsapp_undecryptable_dropped_total",
      "Undecryptable messages beyond their sender's share, dropped without a record.",
    );
    this.#quarantined = metrics.counter(
      "whatsapp_quarantined_total",
      "Messages not read because the process died with them in flight.",
    );
    this.#unavailable = metrics.counter(
      "whatsapp_unavailable_total",
      "Messages received without content: not given to companions, not resent, or undecryptable.",
    );
    this.#statuses = metrics.counter(
      "whatsapp_statuses_total",
      "Statuses of contacts, where the business wants them.",
      ["result"],
    );
    this.#stanzaFailures = metrics.counter("whatsapp_stanza_failures_total", "Stanzas that a listener failed with.", [
      "tag",
    ]);
    this.#passkeySteps = metrics.counter(
      "whatsapp_passkey_steps_total",
      "Steps of links with a passkey, renewed challenges included.",
      ["step"],
    );
    this.#unknownStanzas = metrics.counter(
      "whatsapp_unknown_stanzas_total",
      "Stanzas of types that this version does not know.",
      ["name"],
    );
    this.#alarms = metrics.counter("whatsapp_alarms_total", "Sessions that need an operator's attention.");
  }

  /** Adds the health of egress proxies, read at each scrape. One that was not checked yet is left out. */
  observeEgress(health: () => ProxyHealth[]): void {
    this.#metrics.gauge("whatsapp_egress_proxy_up", "1 if the egress proxy reaches WhatsApp.", ["proxy"], (gauge) => {
      for (const { proxy, healthy } of health()) if (healthy !== null) gauge.set({ proxy }, healthy ? 1 : 0);
    });
  }

  /** Adds the state of the shard's copy. */
  observeCopy(copy: { readonly behindS: number; readonly isComplete: boolean }): void {
    this.#metrics.gauge("whatsapp_copy_behind_seconds", "Age of the oldest change that Postgres lacks.", [], (gauge) =>
      gauge.set(copy.behindS),
    );
    this.#metrics.gauge("whatsapp_copy_complete", "1 if the shard could be restored from its copy.", [], (gauge) =>
      gauge.set(copy.isComplete ? 1 : 0),
    );
  }

  /** Adds the values that are read at each scrape. */
  observe(gauges: ShardGauges): void {
    this.#metrics.gauge("whatsapp_sessions", "Sessions by status.", ["status"], (gauge) => {
      for (const status of sessionStatus.options) gauge.set({ status }, 0);
      for (const { status } of gauges.sessions()) gauge.inc({ status });
    });
    this.#metrics.gauge("whatsapp_journal_entries", "Entries that Postgres does not have yet.", ["stream"], (gauge) => {
      for (const [stream, depth] of Object.entries(gauges.journalDepth())) gauge.set({ stream }, depth);
    });
  }

  /** Messages of the last minute, in both directions. */
  get messagesPerMinute(): number {
    return this.#rate.perMinute;
  }

  sendResult(result: "sent" | "failed", ms: number): void {
    this.#rate.count();
    this.#results.inc({ result });
    this.#seconds.observe(ms / 1000);
  }

  received(): void {
    this.#rate.count();
    this.#received.inc();
  }

  ended(code: number): void {
    this.#ended.inc({ code: String(code) });
  }

  deaf(): void {
    this.#deaf.inc();
  }

  undecryptableDropped(): void {
    this.#undecryptableDropped.inc();
  }

  undecryptable(): void {
    this.#undecryptable.inc();
  }

  quarantined(): void {
    this.#quarantined.inc();
  }

  unavailable(): void {
    this.#rate.count();
    this.#unavailable.inc();
  }

  /** "dropped": beyond a share of its contact or its business. */
  status(result: "received" | "dropped"): void {
    this.#statuses.inc({ result });
  }

  stanzaFailed(tag: string): void {
    this.#stanzaFailures.inc({ tag });
  }

  passkeyStep(step: PasskeyStep | "failed"): void {
    this.#passkeySteps.inc({ step });
  }

  /** Returns true for the first of this name since the start of the process. */
  unknownStanza(name: string): boolean {
    const isNew = !this.#unknownNames.has(name) && this.#unknownNames.size < maxUnknownNames;
    if (isNew) this.#unknownNames.add(name);
    this.#unknownStanzas.inc({ name: this.#unknownNames.has(name) ? name : "other" });
    return isNew;
  }

  alarm(): void {
    this.#alarms.inc();
  }
}
