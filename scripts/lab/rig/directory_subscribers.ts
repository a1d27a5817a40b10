import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { bunRun, startChild } from "./child.ts";
import type { Child } from "./child.ts";

export type SubscriberReport =
  /** The directory has the expected number of shards, and grew the heap by this. */
  | { is: "complete"; bytes: number }
  /** Changed addresses; null for a shard that is gone. `at` in Unix ms. */
  | { is: "changed"; at: number; shards: [shard: number, url: string | null][] };

/** A shard's address in one process, and since when. */
type Known = { url: string | null; at: number };

type Subscriber = { child: Child; shards: Map<number, Known>; bytes: number | undefined };

export type SubscribersOptions = {
  folder: string;
  /** host:port of the Consul agent. */
  consul: string;
  processes: number;
  /** Shards in Consul. */
  shards: number;
};

/** Processes that each keep the directory of lib/routing, as every service does. */
export class DirectorySubscribers {
  readonly #subscribers: Subscriber[];
  /** Shards that may be missing, because they change or were deregistered. */
  readonly #changing = new Set<number>();
  /** Times that a process lost a shard that was registered all the time. */
  lost = 0;

  private constructor(options: SubscribersOptions) {
    this.#subscribers = Array.from({ length: options.processes }, (_, n) => this.#start(n + 1, options));
  }

  /** Resolves when every process knows all shards. */
  static async start(options: SubscribersOptions): Promise<DirectorySubscribers> {
    const all = new DirectorySubscribers(options);
    try {
      const complete = () => all.#subscribers.every(({ bytes }) => bytes !== undefined);
      await until(complete, { what: `${options.shards} shards in every directory` });
    } catch (error) {
      await all.stop();
      throw error;
    }
    return all;
  }

  /** Growth of each process's heap by its directory. */
  get bytes(): number[] {
    return this.#subscribers.map(({ bytes }) => bytes ?? 0);
  }

  /** Announces that shards are about to change. Until {@link know} they may be missing. */
  expectChange(shards: readonly number[]): void {
    for (const shard of shards) this.#changing.add(shard);
  }

  /**
   * Resolves when every process has these addresses (null: no address) with the Unix ms at which the last one got them.
   */
  async know(expected: ReadonlyMap<number, string | null>, deadlineMs: number): Promise<number> {
    const knows = ({ shards }: Subscriber) =>
      [...expected].every(([shard, url]) => (shards.get(shard)?.url ?? null) === url);
    await until(() => this.#subscribers.every(knows), {
      deadlineMs,
      everyMs: 1,
      what: `${expected.size} changed shards in every directory`,
    });
    for (const [shard, url] of expected) if (url !== null) this.#changing.delete(shard);
    return Math.max(
      ...this.#subscribers.flatMap(({ shards }) => [...expected.keys()].map((shard) => shards.get(shard)?.at ?? 0)),
    );
  }

  async stop(): Promise<void> {
    for (const { child } of this.#subscribers) child.kill("SIGKILL");
    await Promise.all(this.#subscribers.map(({ child }) => child.exited));
  }

  #start(number: number, { folder, consul, shards: count }: SubscribersOptions): Subscriber {
    const shards = new Map<number, Known>();
    const child = startChild({
      command: bunRun("scripts/lab/rig/directory_subscriber.ts", consul, String(count)),
      logFile: join(folder, `subscriber-${number}.log`),
      ipc: (message) => {
        const report = message as SubscriberReport;
        if (report.is === "complete") subscriber.bytes = report.bytes;
        else this.#changed(shards, report);
      },
    });
    const subscriber: Subscriber = { child, shards, bytes: undefined };
    return subscriber;
  }

  #changed(known: Map<number, Known>, { at, shards }: SubscriberReport & { is: "changed" }): void {
    for (const [shard, url] of shards) {
      known.set(shard, { url, at });
      if (url === null && !this.#changing.has(shard)) this.lost += 1;
    }
  }
}
