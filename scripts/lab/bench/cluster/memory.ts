import { readFileSync } from "node:fs";

/** Sessions on shards of this machine. */
export type Sessions = { shards: number; sessions: number };

/**
 * Memory of a run in MB, rounded up from runs of `bench:cluster -- --only sessions`. A session that sent and received
 * one message takes less than one of `bench:shard`, which sends 100.
 */
const shardMb = 130;
const sessionMb = 0.85;
/** The simulator's part of a session: its connection and its phone. */
const simulatedMb = 0.25;
/** Redis, Consul and the bench itself. */
const restMb = 500;

/** Left to the other programs of the machine, MB. A run ends before less is available. */
export const reserveMb = 750;

/** Memory that the run takes, MB. */
export const neededMb = ({ shards, sessions }: Sessions): number =>
  Math.ceil(shards * shardMb + sessions * (sessionMb + simulatedMb) + restMb);

/** The most sessions on so many shards for which the available memory suffices. */
export const mostSessions = (shards: number, availableMb: number): number =>
  Math.max(0, Math.floor((availableMb - reserveMb - restMb - shards * shardMb) / (sessionMb + simulatedMb)));

/** Why the run must not start, and what fits; undefined if the memory suffices. */
export function refusalOf(plan: Sessions, availableMb: number): string | undefined {
  const needed = neededMb(plan);
  if (needed + reserveMb <= availableMb) return undefined;
  const most = mostSessions(plan.shards, availableMb);
  const choice = most > 0 ? `choose at most --sessions ${most}` : "choose fewer --shards";
  return (
    `${plan.sessions} sessions on ${plan.shards} shards take about ${gigabytes(needed)}, and this machine has ` +
    `${gigabytes(availableMb)} available, of which ${gigabytes(reserveMb)} stay free. Free memory, or ${choice}.`
  );
}

export const gigabytes = (mb: number): string => `${(mb / 1024).toFixed(1)} GB`;

/** MemAvailable of /proc/meminfo, MB. */
export function availableMbOf(meminfo: string): number {
  const kb = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  if (kb === undefined) throw new Error("/proc/meminfo has no MemAvailable");
  return Number(kb) / 1024;
}

export const availableMb = (): number => availableMbOf(readFileSync("/proc/meminfo", "utf8"));

/** Samples the available memory once a second. */
export class MemoryWatch {
  /** The least that was available, MB. */
  leastMb = availableMb();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #exhausted = Promise.withResolvers<never>();

  constructor(describe: () => string) {
    this.#exhausted.promise.catch(() => {});
    this.#timer = setInterval(() => {
      this.leastMb = Math.min(this.leastMb, availableMb());
      if (this.leastMb >= reserveMb) return;
      const left = gigabytes(this.leastMb);
      this.#exhausted.reject(new Error(`stopped because only ${left} of memory were available: ${describe()}`));
    }, 1_000);
  }

  /** Runs `work`; rejects as soon as less than the reserve is available. */
  guard<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#exhausted.promise]);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
