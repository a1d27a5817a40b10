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
  /** After that time with earlier indexes the state counts as restored from a backup, and its value is accepted. */
  replayMs?: number;
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
const leastSpacingMs = 20;
/** Bytes of a value that Consul and this process may handle in a millisecond of spacing: 1,000 shards take 250 ms. */
const bytesPerMs = 300;

/** Spaces queries by the size of their answers: a thousand changes in a row must not cost a thousand long answers. */
export const spacingMs = (valueBytes: number): number => Math.max(leastSpacingMs, valueBytes / bytesPerMs);

/** Milliseconds between two queries while a restarted server replays its log. */
const replayPollMs = 200;

/**
 * Follows a Consul endpoint with blocking queries until the signal aborts. After an error it backs off with jitter,
 * up to 1 s, and retries; the last value stays. It notices the end of an outage within 2 s.
 *
 * A restarted server answers while it replays its log: with a known leader, but with only a part of the services. Such
 * an answer has an earlier index than the last value, so the value stays until the server has caught up.
 */
export async function watch<T>(options: WatchOptions<T>): Promise<void> {
  const { consul, path, parse, onChange, onContact, onError, signal, replayMs = 10_000 } = options;
  let index = 0;
  let failures = 0;
  let last: string | undefined;
  /** Index of the last value. */
  let reached = 0;
  /** Since when answers are earlier than the last value. */
  let behindSince: number | undefined;
  while (!signal.aborted) {
    try {
      const answer = await consul.blockingGet(path, { index, signal });
      const value = parse(answer.body);
      const text = JSON.stringify(value);
      if (failures > 0 && answer.index < reached) {
        behindSince ??= performance.now();
        if (performance.now() - behindSince < replayMs) {
          await sleep(replayPollMs, signal);
          continue;
        }
      }
      index = nextIndex(index, answer.index);
      reached = answer.index;
      failures = 0;
      behindSince = undefined;
      onContact?.();
      if (text !== last) {
        last = text;
        onChange(value);
      }
      await sleep(spacingMs(text.length), signal);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      index = 0;
      onError?.(error);
      await sleep(backoff({ attempt: failures, baseMs: 100, maxMs: 1000 }), signal).catch(() => {});
    }
  }
}
