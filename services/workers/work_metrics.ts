import type { Metrics } from "../../lib/runtime/metrics.ts";
import type { JournalStream } from "../../lib/contracts/shard/index.ts";

export type WorkMetrics = {
  sent(status: "sent" | "failed" | "retry" | "paced", count: number): void;
  journaled(stream: JournalStream, count: number): void;
  quarantined(stream: JournalStream): void;
  /** Edits and deletions by people who may not make them. */
  forgedChanges(count: number): void;
  delivered(status: "delivered" | "failed" | "dead", seconds: number): void;
  receiptsOverdue(count: number): void;
  /** Result of a file's download from or upload to WhatsApp's media host. */
  media(outcome: "fetched" | "failed" | "uploaded" | "refused"): void;
  leaseLost(): void;
  /** A move ended after the business was silent for `silentMs`. */
  moved(outcome: "done" | "rolled_back", silentMs: number): void;
};

/** Seconds; the target is three. */
const silences = [0.25, 0.5, 1, 2, 3, 5, 10, 30, 120];

export function createWorkMetrics(metrics: Metrics): WorkMetrics {
  const sends = metrics.counter("send_results_total", "Messages handed to shards, by result.", ["status"]);
  const journal = metrics.counter("journal_entries_total", "Entries of shards' journals written to Postgres.", [
    "stream",
  ]);
  const quarantine = metrics.counter(
    "journal_quarantined_total",
    "Journal entries that could not be decoded or written.",
    ["stream"],
  );
  const forged = metrics.counter(
    "journal_forged_changes_total",
    "Edits, deletions and reactions that change nothing because their author may not make them.",
  );
  const deliveries = metrics.counter("webhook_attempts_total", "Webhook delivery attempts, by result.", ["status"]);
  const answers = metrics.histogram("webhook_attempt_seconds", "Time an endpoint took to answer.");
  const overdue = metrics.counter("receipts_overdue_total", "Messages whose receipts are overdue.");
  const lost = metrics.counter("leases_lost_total", "Leases that expired while their holder worked.");
  const files = metrics.counter(
    "media_total",
    "Files downloaded from and uploaded to WhatsApp's media host, by result.",
    ["outcome"],
  );
  const moves = metrics.histogram(
    "move_silence_seconds",
    "Time that businesses were silent during a move to another shard.",
    silences,
    ["outcome"],
  );
  return {
    sent: (status, count) => sends.inc({ status }, count),
    journaled: (stream, count) => journal.inc({ stream }, count),
    quarantined: (stream) => quarantine.inc({ stream }),
    forgedChanges: (count) => forged.inc(count),
    delivered: (status, seconds) => {
      deliveries.inc({ status });
      answers.observe(seconds);
    },
    receiptsOverdue: (count) => overdue.inc(count),
    media: (outcome) => files.inc({ outcome }),
    leaseLost: () => lost.inc(),
    moved: (outcome, silentMs) => moves.observe({ outcome }, silentMs / 1000),
  };
}
