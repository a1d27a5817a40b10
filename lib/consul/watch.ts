import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import type { ConsulClient } from "./client.ts";

export type WatchOptions<T> = {
  consul: ConsulClient;
  /** For example `/v1/health/service/whatsapp-shard?passing=1&stale=1`. */
  path: string;
  parse: (body: unknown) => T;
  /** Called with the first value, then only when the parsed value changes. */
  onChange: (value: T) => void;
  /** Called at every answer, changed or not; measures how fresh the value is. */
  onContact?: () => void;
  onError?: (error: unknown) => void;
  signal: AbortSignal;
};

/**
 * Returns the index for the next blocking query. An index that went backwards (a restored server) resets to 0.
 * An answered 0 becomes 1, because Consul does not block on 0.
 */
export function nextIndex(previous: number, answered: number): number {
  if (!Number.isFinite(answered) || answered < previous) return 0;
  return Math.max(1, answered);
}

/** Minimum milliseconds between two queries, so that a key that changes constantly does not occupy a core. */
const spacingMs = 20;

/** After an outage, a changed value is accepted only if a second answer confirms it this many milliseconds later. */
const confirmationMs = 500;

/**
 * Follows a Consul endpoint with blocking queries until the signal aborts. After an error it backs off with jitter,
 * up to 3 s, and retries; the last value stays. It notices the end of an outage within 5 s.
 */
export async function watch<T>(options: WatchOptions<T>): Promise<void> {
  const { consul, path, parse, onChange, onContact, onError, signal } = options;
  let index = 0;
  let failures = 0;
  let last: string | undefined;
  let unconfirmed: string | undefined;
  while (!signal.aborted) {
    try {
      const answer = await consul.blockingGet(path, { index, signal });
      const value = parse(answer.body);
      const text = JSON.stringify(value);
      if (failures > 0 && last !== undefined && text !== last && text !== unconfirmed) {
        // A restarted server answers before it has replayed its log, so its first answer may be stale.
        unconfirmed = text;
        await sleep(confirmationMs, signal);
        continue;
      }
      index = nextIndex(index, answer.index);
      failures = 0;
      unconfirmed = undefined;
      onContact?.();
      if (text !== last) {
        last = text;
        onChange(value);
      }
      await sleep(spacingMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      index = 0;
      onError?.(error);
      await sleep(backoff({ attempt: failures, baseMs: 100, maxMs: 3000 }), signal).catch(() => {});
    }
  }
}
