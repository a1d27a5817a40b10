import type { Redis } from "ioredis";
import type { Metrics } from "../runtime/metrics.ts";
import { answerOf } from "../redis/errors.ts";
import { memoryFill } from "../redis/memory.ts";
import { createScript } from "../redis/script.ts";
import { allEvents, limits, recentKey, streamPrefix, tallyKey } from "./stream.ts";
import dropEvents from "./drop_events.lua" with { type: "text" };

/*
 * Reserves memory for what the platform runs on: leases, queues and calls. Live events stop when Redis is 60 % full,
 * whatever fills it, and their streams are dropped (32 MB at most). They resume below 55 %. Redis never evicts
 * (BullMQ demands it), so every other write fails at 100 %.
 */

const pauseAt = 0.6;
const resumeAt = 0.55;
const checkEveryMs = 1_000;

const dropScript = createScript(dropEvents);

export type MemoryGuard = {
  /** True if live events are paused. Returns at once; looks at the server in the background, once a second at most. */
  isPaused(): boolean;
  noteDropped(count: number): void;
  /** Pauses now: Redis has refused a write. */
  pause(): Promise<void>;
  /** Looks at the server and acts on it. Never throws: a server that is unavailable is looked at again. */
  check(): Promise<void>;
  dropped(): number;
  fill(): number;
};

const guards = new WeakMap<Redis, MemoryGuard>();

/** The guard of a connection. */
export function memoryGuard(redis: Redis): MemoryGuard {
  let guard = guards.get(redis);
  if (guard === undefined) guards.set(redis, (guard = createMemoryGuard(redis)));
  return guard;
}

/**
 * Checks once a second also where nothing is published, so that a Redis that others have filled gets the events'
 * memory back. Returns a function that ends it.
 */
export function startMemoryGuard(redis: Redis, metrics: Metrics): () => void {
  const guard = memoryGuard(redis);
  metrics.gauge("redis_memory_fill_ratio", "Memory that Redis uses, as a share of its maxmemory.", [], (gauge) =>
    gauge.set(guard.fill()),
  );
  metrics.gauge("live_events_paused", "1 while live events are dropped because Redis is nearly full.", [], (gauge) =>
    gauge.set(guard.isPaused() ? 1 : 0),
  );
  metrics.gauge(
    "live_events_dropped",
    "Live events that this process dropped because Redis was nearly full.",
    [],
    (gauge) => gauge.set(guard.dropped()),
  );
  const timer = setInterval(() => guard.isPaused(), checkEveryMs);
  return () => clearInterval(timer);
}

function createMemoryGuard(redis: Redis): MemoryGuard {
  let paused = false;
  let fill = 0;
  let dropped = 0;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let checking: Promise<void> | undefined;

  /** Frees the streams' memory and marks the loss in Redis, so that readers receive `reset` before the next event. */
  const dropStreams = () => dropScript(redis, [allEvents, tallyKey, recentKey], [streamPrefix, 2 * limits.keptMs]);

  const look = async (): Promise<void> => {
    fill = await memoryFill(redis);
    if (fill >= pauseAt || (paused && fill >= resumeAt)) {
      paused = true;
      // Repeated at each check: another process may have appended since.
      await dropStreams();
    } else if (paused) {
      // The mark of dropped events precedes the first event that is appended.
      await answerOf(redis.hset(tallyKey, "gap", "1"));
      paused = false;
    }
  };
  const check = (): Promise<void> => {
    checking ??= look()
      .catch(() => {})
      .finally(() => {
        checkedAt = performance.now();
        checking = undefined;
      });
    return checking;
  };

  return {
    isPaused: () => {
      if (performance.now() - checkedAt >= checkEveryMs) void check();
      return paused;
    },
    noteDropped: (count) => (dropped += count),
    pause: async () => {
      paused = true;
      await check();
    },
    check,
    dropped: () => dropped,
    fill: () => fill,
  };
}
