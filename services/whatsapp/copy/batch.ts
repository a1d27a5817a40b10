import { sizeOf } from "./records.ts";
import type { ChangeRecord } from "./records.ts";

/** Changes that are written to Postgres together. A value of an auth store that changes twice is written once. */
export class Batch {
  readonly #records = new Set<ChangeRecord>();
  readonly #values = new Map<string, ChangeRecord>();
  readonly #stored = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();
  /** When its first change was added. */
  since: number | undefined;
  bytes = 0;

  constructor() {
    // Few wait for it.
    this.#stored.promise.catch(() => {});
    this.#settled.promise.catch(() => {});
  }

  get records(): ChangeRecord[] {
    return [...this.#records];
  }

  get isEmpty(): boolean {
    return this.#records.size === 0;
  }

  /** Resolves once the copy has the changes. */
  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  /** Resolves once Postgres has the changes or they were dropped. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  add(record: ChangeRecord): void {
    this.since ??= performance.now();
    this.bytes += sizeOf(record);
    this.#records.add(record);
    const [kind, ...names] = record;
    if (kind !== "auth") return;
    const name = names.slice(0, 3).join(" ");
    const former = this.#values.get(name);
    if (former !== undefined && this.#records.delete(former)) this.bytes -= sizeOf(former);
    this.#values.set(name, record);
  }

  /** Forgets the changes; the batch still waits for the copy. */
  drop(): void {
    this.#records.clear();
    this.#values.clear();
    this.bytes = 0;
    this.#settled.resolve();
  }

  end(error?: Error): void {
    for (const { resolve, reject } of [this.#stored, this.#settled]) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}
