import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import type { ConsulClient } from "./client.ts";

export type WatchOptions<T> = {
  consul: ConsulClient;
  /** For example `/v1/health/service/whatsapp-shard?passing=1&stale=1`. */
  path: string;
  parse: (body: unknown) => T;
  /** Called with the first answer, and then only when the parsed value differs from the last one. */
  onChange: (value: T) => void;
  /** Called at every answer, changed or not: how fresh the value is. */
  onContact?: () => void;
  onError?: (error: unknown) => void;
  signal: AbortSignal;
};

/** The next index to wait on: one that went backwards starts again at 0 (a restored server), and 0 itself would poll hot. */
export function nextIndex(previous: number, answered: number): number {
  if (!Number.isFinite(answered) || answered < previous) return 0;
  return Math.max(1, answered);
}

/** Milliseconds between two answers at the least, so that a key that changes all the time does not take a core. */
const spacingMs = 20;

/** After an outage, what differs from before is believed when it is the same this much later. */
const standMs = 500;

/**
 * Follows a Consul endpoint by blocking queries until the signal aborts. Errors back off with jitter up to
 * 3 s (a Consul that is back is noticed within 5 s) and never end the loop; the last value stays.
 */
export async function watch<T>(options: WatchOptions<T>): Promise<void> {
  const { consul, path, parse, onChange, onContact, onError, signal } = options;
  let index = 0;
  let failures = 0;
  let last: string | undefined;
  let doubted: string | undefined;
  while (!signal.aborted) {
    try {
      const answer = await consul.blockingGet(path, { index, signal });
      const value = parse(answer.body);
      const text = JSON.stringify(value);
      if (failures > 0 && last !== undefined && text !== last && text !== doubted) {
        // A server that has just come back answers before it has read its log to the end: what it says has to stand.
        doubted = text;
        await sleep(standMs, signal);
        continue;
      }
      index = nextIndex(index, answer.index);
      failures = 0;
      doubted = undefined;
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
