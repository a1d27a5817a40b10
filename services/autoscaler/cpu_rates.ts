import type { Reading } from "./readings.ts";

type Sample = { at: number; seconds: number };

/** Long enough that one heavy request adds no replica. */
const windowS = 30;

/** The processor time of each replica, in cores, over the last half minute. */
export class CpuRates {
  readonly #samples = new Map<string, Sample[]>();

  /** Adds readings of a service. Undefined for a replica that was read once. */
  observe(readings: readonly Reading[]): (number | undefined)[] {
    return readings.map(({ address, at, cpuSeconds }) => {
      if (cpuSeconds === undefined) return undefined;
      const known = this.#samples.get(address) ?? [];
      // A counter that fell is that of another process.
      const same = (known.at(-1)?.seconds ?? 0) <= cpuSeconds ? known : [];
      const kept = [...same.filter((sample) => at - sample.at <= windowS), { at, seconds: cpuSeconds }];
      this.#samples.set(address, kept);
      const first = kept[0]!;
      return at === first.at ? undefined : (cpuSeconds - first.seconds) / (at - first.at);
    });
  }

  /** Forgets replicas that have ended. */
  keepOnly(addresses: ReadonlySet<string>): void {
    for (const address of this.#samples.keys()) if (!addresses.has(address)) this.#samples.delete(address);
  }
}
