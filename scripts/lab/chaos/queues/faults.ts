import { join } from "node:path";
import { Redis } from "ioredis";
import type { Platform } from "../../rig/platform.ts";

/** Faults injected so far, by kind. */
export type Tally = {
  kills: number;
  stops: number;
  flushes: number;
  redis_restarts: number;
  postgres_restarts: number;
  clock_steps: number;
  freezes: number;
};

/** Ten minutes either way: longer than any wait of the platform. */
const steps = [600_000, -600_000, 0, 0];

/** Long enough for a worker's leases and job locks to expire, so that others take over before it continues. */
const frozenMs = 8_000;
/** Longer than the timeout of a Redis command. */
const silentMs = 3_000;

/** The file from which worker `n` reads the skew of its clock. */
export const clockFile = (folder: string, n: number) => join(folder, `clock-${n}`);

/** Injects one random fault after the other until `stop`, which restores every process and clock. */
export function injectFaults(platform: Platform, folder: string, say: (line: string) => void) {
  const tally: Tally = {
    kills: 0,
    stops: 0,
    flushes: 0,
    redis_restarts: 0,
    postgres_restarts: 0,
    clock_steps: 0,
    freezes: 0,
  };
  const { workers, redis, postgres } = platform;
  const any = () => Math.floor(Math.random() * workers.length);
  const thawing: Promise<void>[] = [];
  let stopping = false;

  const acts: { weight: number; act: () => Promise<string> }[] = [
    {
      weight: 10,
      act: async () => {
        const n = any();
        tally.kills += 1;
        await workers[n]!.kill();
        return `worker ${n + 1} killed`;
      },
    },
    {
      weight: 2,
      act: async () => {
        const n = any();
        tally.stops += 1;
        workers[n]!.signal("SIGTERM");
        return `worker ${n + 1} stopped`;
      },
    },
    {
      weight: 2,
      act: async () => {
        const n = any();
        tally.freezes += 1;
        workers[n]!.signal("SIGSTOP");
        // Other faults may hit this worker before it thaws.
        thawing.push(Bun.sleep(frozenMs).then(() => workers[n]!.signal("SIGCONT")));
        return `worker ${n + 1} frozen`;
      },
    },
    {
      weight: 1,
      act: async () => {
        tally.freezes += 1;
        redis.signal("SIGSTOP");
        await Bun.sleep(silentMs);
        redis.signal("SIGCONT");
        return "Redis frozen";
      },
    },
    {
      weight: 2,
      act: async () => {
        tally.flushes += 1;
        await flush(redis.address);
        return "Redis flushed";
      },
    },
    {
      weight: 1,
      act: async () => {
        tally.redis_restarts += 1;
        await redis.stop();
        await Bun.sleep(1_000);
        await redis.start();
        return "Redis restarted, empty";
      },
    },
    {
      weight: 1,
      act: async () => {
        tally.postgres_restarts += 1;
        await postgres.stop();
        await Bun.sleep(1_000);
        await postgres.start();
        return "Postgres crashed and restarted";
      },
    },
    {
      weight: 4,
      act: async () => {
        const [n, ms] = [any(), steps[Math.floor(Math.random() * steps.length)]!];
        tally.clock_steps += 1;
        await Bun.write(clockFile(folder, n), String(ms));
        return `worker ${n + 1}'s clock is off by ${ms / 60_000} min`;
      },
    },
  ];
  const deck = acts.flatMap(({ weight, act }) => Array.from({ length: weight }, () => act));

  const over = (async () => {
    // Every kind once in random order, then at random.
    const first = acts.map(({ act }) => act).toSorted(() => Math.random() - 0.5);
    while (!stopping) {
      await Bun.sleep(300 + Math.random() * 2_000);
      say(await (first.shift() ?? deck[Math.floor(Math.random() * deck.length)]!)());
    }
    await Promise.all(thawing);
    await Promise.all(workers.map((_, n) => Bun.write(clockFile(folder, n), "0")));
  })();
  return {
    stop: async (): Promise<Tally> => {
      stopping = true;
      await over;
      return tally;
    },
  };
}

/** Deletes everything in Redis. */
export async function flush(address: string): Promise<void> {
  const client = new Redis(`redis://${address}`);
  await client.flushall();
  client.disconnect();
}
