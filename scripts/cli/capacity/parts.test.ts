import { describe, expect, test } from "bun:test";
import { partsFor, platformFor, use } from "./parts.ts";
import { sizeFor } from "./size.ts";

const origin = { machine: { cpu: "a", cores: 2, memory_gb: 8 }, measured_at: "2026-01-01T00:00:00.000Z", bun: "1.4.5" };
const shard = {
  ...origin,
  sessions: 500,
  idle_mb: 100,
  kb_per_session: 1024,
  msgs_per_min: 60_000,
  cpu_ms_per_msg: 1,
  p50_ms: 10,
  reopen_after_kill_s: 10,
};
const path = {
  ...origin,
  end_to_end_per_min: 30_000,
  cpu_ms_per_msg: { api: 0.6, worker: 1.2, shard: 1, postgres: 1.2, pgbouncer: 0.12, redis: 0.06, nginx: 0.12 },
  wal_kb_per_msg: 6,
  table_kb_per_msg: 1,
  network_kb_per_msg: 24,
};
const cluster = {
  ...origin,
  shards_registered: 1_000,
  directory_answer_kb: 1_024,
  moves_per_minute: 300,
};
const measured = { shard, path, cluster };
const machines = { utilisation: 0.5, nodeCores: 16, nodeMemoryGb: 64, postgresCores: 64 };

const plan = (load: { sessions: number; messagesPerMin: number }, changes: Partial<typeof machines> = {}) => {
  const of = { ...machines, ...changes };
  const size = sizeFor(load, shard, { utilisation: 0.5, shardMemoryMb: 2_048 });
  return { platform: platformFor(load, size, measured, of), parts: partsFor(load, size, measured, of) };
};
const million = { sessions: 100_000, messagesPerMin: 1_000_000 };
const part = (name: string, { parts }: ReturnType<typeof plan>) => parts.find((one) => one.name === name)!;

describe("platformFor", () => {
  test("adds up the CPU time of all messages", () => {
    // 16,667 messages a second: 1 ms on a shard, 2.04 ms on API, workers, pgbouncer and nginx.
    expect(plan(million).platform.cores).toBeCloseTo(16_667 * 3.04e-3, 1);
    expect(plan(million).platform).toMatchObject({ apis: 20, workers: 40 });
  });

  test("sizes nodes by cores or memory, plus a spare", () => {
    expect(plan(million, { nodeMemoryGb: 1_000 }).platform.nodes).toBe(8);
    const { memoryGb } = plan(million).platform;
    expect(plan(million, { nodeCores: 1_000 }).platform.nodes).toBe(Math.ceil(memoryGb / 32) + 1);
  });

  test("estimates how long a node takes to drain", () => {
    const { platform } = plan({ sessions: 6_000, messagesPerMin: 1 });
    expect(platform.nodes).toBe(3);
    expect(platform.drainMinutes).toBe(10);
  });

  test("multiplies bytes by the rate", () => {
    const { walMbPerS, tableGbPerDay, networkMbitPerS } = plan({ sessions: 10, messagesPerMin: 60 * 1024 }).platform;
    expect(walMbPerS).toBe(6);
    expect(tableGbPerDay).toBeCloseTo(84.4, 1);
    expect(networkMbitPerS).toBe(192);
  });
});

describe("partsFor", () => {
  test("puts the part first that breaks first", () => {
    const { parts } = plan(million);
    expect(parts[0]!.name).toBe("Redis");
    expect(use(parts[0]!)).toBeCloseTo(2);
    expect(parts.map(use)).toEqual(parts.map(use).toSorted((a, b) => b - a));
  });

  test("limits Postgres to one server", () => {
    const half = part("Postgres primary", plan({ ...million, messagesPerMin: 500_000 }));
    expect([half.need, half.limit]).toEqual([10, 32]);
    expect(use(part("Postgres primary", plan(million, { postgresCores: 32 })))).toBe(1.25);
  });

  test("limits shards by the variable with their secrets", () => {
    const shards = part("number of shards", plan(million));
    expect([shards.need, shards.limit]).toEqual([200, 300]);
  });

  test("spreads pgbouncer over the nodes", () => {
    const { platform, parts } = plan(million);
    const pooler = parts.find(({ name }) => name === "pgbouncer of a node")!;
    expect(pooler.need).toBeCloseTo(2 / (platform.nodes - 1));
  });

  test("names a source and a remedy for each part", () => {
    for (const { source, remedy } of plan(million).parts) expect([source, remedy]).not.toContain("");
  });
});
