import type { Metrics } from "../../lib/runtime/metrics.ts";
import type { JournalStream } from "../../lib/contracts/shard/index.ts";

export type WorkMetrics = {
  sent(status: "sent" | "failed" | "retry" | "paced", count: number): void;
  journaled(stream: JournalStream, count: number): void;
  quarantined(stream: JournalStream): void;
  delivered(status: "delivered" | "failed" | "dead", seconds: number): void;
  ticksOverdue(count: number): void;
  /** What became of a file: fetched from WhatsApp's host or put there, or not to be had or sent. */
  media(outcome: "fetched" | "failed" | "uploaded" | "refused"): void;
  leaseLost(): void;
  /** A move is over, and the business was silent for so long. */
  moved(outcome: "done" | "rolled_back", silentMs: number): void;
};

/** Seconds; the promise is three. */
const silences = [0.25, 0.5, 1, 2, 3, 5, 10, 30, 120];

export function createWorkMetrics(metrics: Metrics): WorkMetrics {
  const sends = metrics.counter("send_results_total", "Messages handed to shards, by what became of them.", ["status"]);
  const journal = metrics.counter("journal_entries_total", "Entries of shards' journals written to Postgres.", [
    "stream",
  ]);
  const quarantine = metrics.counter("journal_quarantined_total", "Entries that could not be understood or written.", [
    "stream",
  ]);
  const deliveries = metrics.counter("webhook_attempts_total", "Deliveries tried, by what came of it.", ["status"]);
  const answers = metrics.histogram("webhook_attempt_seconds", "Time an endpoint took to answer.");
  const overdue = metrics.counter("ticks_overdue_total", "Messages whose ticks did not come in their time.");
  const lost = metrics.counter("leases_lost_total", "Leases that ran out while their holder worked.");
  const files = metrics.counter(
    "media_total",
    "Files fetched from WhatsApp's media host and put there, by what came of it.",
    ["outcome"],
  );
  const moves = metrics.histogram(
    "move_silence_seconds",
    "How long businesses were silent on their way to another shard.",
    silences,
    ["outcome"],
  );
  return {
    sent: (status, count) => sends.inc({ status }, count),
    journaled: (stream, count) => journal.inc({ stream }, count),
    quarantined: (stream) => quarantine.inc({ stream }),
    delivered: (status, seconds) => {
      deliveries.inc({ status });
      answers.observe(seconds);
    },
    ticksOverdue: (count) => overdue.inc(count),
    media: (outcome) => files.inc({ outcome }),
    leaseLost: () => lost.inc(),
    moved: (outcome, silentMs) => moves.observe({ outcome }, silentMs / 1000),
  };
}
