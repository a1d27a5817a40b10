import { describe, expect, test } from "bun:test";
import type { MeasuredShard } from "./measured.ts";
import { shardsAsOrdered, sizeFor } from "./size.ts";

const measured: MeasuredShard = {
  machine: { cpu: "a", cores: 2, memory_gb: 8 },
  measured_at: "2026-01-01T00:00:00.000Z",
  bun: "1.4.5",
  sessions: 200,
  idle_mb: 100,
  kb_per_session: 1024,
  msgs_per_min: 30_000,
  cpu_ms_per_msg: 1.5,
  p50_ms: 10,
  reopen_after_kill_s: 2,
};
const limits = { utilisation: 0.5, shardMemoryMb: 1_500 };

describe("sizeFor", () => {
  test("gives no shard more sessions than measured", () => {
    expect(sizeFor({ sessions: 800, messagesPerMin: 100 }, measured, limits)).toMatchObject({
      shards: 4,
      because: "sessions",
      sessions_per_shard: 200,
      shard_memory_mb: 1_200,
      reopen_after_kill_s: 2,
    });
  });

  test("adds shards for messages, at half the measured rate", () => {
    expect(sizeFor({ sessions: 10, messagesPerMin: 90_000 }, measured, limits)).toMatchObject({
      shards: 6,
      because: "messages",
      messages_per_min_per_shard: 15_000,
      shard_cores: 2.25,
    });
  });

  test("adds shards when sessions exceed a shard's memory", () => {
    const cramped = sizeFor({ sessions: 200, messagesPerMin: 1 }, measured, { utilisation: 0.5, shardMemoryMb: 300 });
    expect(cramped).toMatchObject({ shards: 4, because: "memory" });
  });

  test("sizes workers by messages in flight, minimum two", () => {
    expect(sizeFor({ sessions: 1, messagesPerMin: 60 }, measured, limits).workers_high).toBe(2);
    // A hundred messages a millisecond for 10 ms occupy a thousand slots; each worker uses half of its 64.
    expect(sizeFor({ sessions: 1, messagesPerMin: 6_000_000 }, measured, limits).workers_high).toBe(32);
  });
});

test("shardsAsOrdered follows the original plan", () => {
  expect(shardsAsOrdered({ sessions: 800, messagesPerMin: 9_000 })).toBe(18);
  expect(shardsAsOrdered({ sessions: 800, messagesPerMin: 1 })).toBe(16);
});
