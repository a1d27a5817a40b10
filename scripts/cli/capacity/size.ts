import { queues } from "../../../lib/queues/index.ts";
import type { Measured } from "./measured.ts";

/** What is to be carried. */
export type Load = { sessions: number; messagesPerMin: number };

/** How far a machine is to be loaded. */
export type Limits = {
  /** The part of what was measured that is planned with. */
  utilisation: number;
  /** MB that one shard may take: memory.max in nomad/platform/wa-shards.nomad.hcl. */
  shardMemoryMb: number;
};

export type Size = {
  shards: number;
  /** What asks for that many shards. */
  because: "sessions" | "messages" | "memory";
  workers_high: number;
  sessions_per_shard: number;
  messages_per_min_per_shard: number;
  /** Of all shards together. */
  shard_memory_mb: number;
  /** Cores that the shards' sending keeps busy. */
  shard_cores: number;
  /** Of one shard, all of whose sessions are cut off for as long when it is killed. */
  reopen_after_kill_s: number;
};

/** Two survive the loss of one. */
const leastWorkers = 2;

const up = (value: number) => Math.max(1, Math.ceil(value - 1e-9));

/**
 * The size that carries a load by what one shard was measured to do. No shard gets more sessions than were measured:
 * what was not tried is not promised.
 */
export function sizeFor(
  { sessions, messagesPerMin }: Load,
  measured: Measured,
  { utilisation, shardMemoryMb }: Limits,
): Size {
  const bySessions = up(sessions / measured.sessions);
  const byMessages = up(messagesPerMin / (measured.msgs_per_min * utilisation));
  const byMemory = up(
    (sessions * measured.kb_per_session) / 1024 / Math.max(1, shardMemoryMb * utilisation - measured.idle_mb),
  );
  const shards = Math.max(bySessions, byMessages, byMemory);
  const perShard = Math.ceil(sessions / shards);
  // A message occupies a place of a worker from its row to WhatsApp's acknowledgement.
  const places = (messagesPerMin / 60_000) * measured.p50_ms;
  return {
    shards,
    because: shards === bySessions ? "sessions" : shards === byMessages ? "messages" : "memory",
    workers_high: Math.max(leastWorkers, up(places / (queues.high.concurrency * utilisation))),
    sessions_per_shard: perShard,
    messages_per_min_per_shard: Math.ceil(messagesPerMin / shards),
    shard_memory_mb: Math.round(shards * measured.idle_mb + (sessions * measured.kb_per_session) / 1024),
    shard_cores: Number(((messagesPerMin * measured.cpu_ms_per_msg) / 60_000).toFixed(2)),
    reopen_after_kill_s: Number(((measured.reopen_after_kill_s * perShard) / measured.sessions).toFixed(1)),
  };
}

/** The plan that this system was ordered by: 50 sessions and 500 messages a minute a shard. */
export const ordered = { sessionsPerShard: 50, messagesPerMinPerShard: 500 } as const;

export function shardsAsOrdered({ sessions, messagesPerMin }: Load): number {
  return Math.max(up(sessions / ordered.sessionsPerShard), up(messagesPerMin / ordered.messagesPerMinPerShard));
}
