import { queues } from "../../../lib/queues/index.ts";
import type { MeasuredShard } from "./measured.ts";

/** The load of a cluster. */
export type Load = { sessions: number; messagesPerMin: number };

/** Limits of the plan. */
export type Limits = {
  /** Part of the measured capacity to plan with. */
  utilisation: number;
  /** Memory limit of a shard in MB: memory.max in nomad/platform/wa-shards.nomad.hcl. */
  shardMemoryMb: number;
};

export type Size = {
  shards: number;
  /** The load that determines the number of shards. */
  because: "sessions" | "messages" | "memory";
  workers_high: number;
  sessions_per_shard: number;
  messages_per_min_per_shard: number;
  /** Memory of all shards. */
  shard_memory_mb: number;
  /** Cores that all shards keep busy with sending. */
  shard_cores: number;
  /** Outage of a shard's sessions after a kill. */
  reopen_after_kill_s: number;
};

/** Two workers survive the loss of one. */
const leastWorkers = 2;

const up = (value: number) => Math.max(1, Math.ceil(value - 1e-9));

/**
 * Calculates the size of a cluster for a load from the measured shard. No shard gets more sessions than were measured,
 * because larger shards were never tested.
 */
export function sizeFor(
  { sessions, messagesPerMin }: Load,
  measured: MeasuredShard,
  { utilisation, shardMemoryMb }: Limits,
): Size {
  const bySessions = up(sessions / measured.sessions);
  const byMessages = up(messagesPerMin / (measured.msgs_per_min * utilisation));
  const byMemory = up(
    (sessions * measured.kb_per_session) / 1024 / Math.max(1, shardMemoryMb * utilisation - measured.idle_mb),
  );
  const shards = Math.max(bySessions, byMessages, byMemory);
  const perShard = Math.ceil(sessions / shards);
  // A message occupies a slot of a worker from its row to WhatsApp's acknowledgement.
  const slots = (messagesPerMin / 60_000) * measured.p50_ms;
  return {
    shards,
    because: shards === bySessions ? "sessions" : shards === byMessages ? "messages" : "memory",
    workers_high: Math.max(leastWorkers, up(slots / (queues.high.concurrency * utilisation))),
    sessions_per_shard: perShard,
    messages_per_min_per_shard: Math.ceil(messagesPerMin / shards),
    shard_memory_mb: Math.round(shards * measured.idle_mb + (sessions * measured.kb_per_session) / 1024),
    shard_cores: Number(((messagesPerMin * measured.cpu_ms_per_msg) / 60_000).toFixed(2)),
    reopen_after_kill_s: Number(((measured.reopen_after_kill_s * perShard) / measured.sessions).toFixed(1)),
  };
}

/** The original plan of this system: 50 sessions and 500 messages a minute a shard. */
export const ordered = { sessionsPerShard: 50, messagesPerMinPerShard: 500 } as const;

export function shardsAsOrdered({ sessions, messagesPerMin }: Load): number {
  return Math.max(up(sessions / ordered.sessionsPerShard), up(messagesPerMin / ordered.messagesPerMinPerShard));
}
