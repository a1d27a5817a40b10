import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import type { BlockingAnswer, ConsulClient } from "./client.ts";

export type WatchOptions<T> = {
  consul: ConsulClient;
  /** For example `/v1/health/service/whatsapp-shard?passing=1&stale=1`. */
  path: string;
  parse: (body: unknown) => T;
  /** Called with the first value, then only when the parsed value changes. */
  onChange: (value: T) => void;
  /** Called at every answer that is known to be recent, changed or not; measures how fresh the value is. */
  onContact?: () => void;
  onError?: (error: unknown) => void;
  signal: AbortSignal;
  /** After that time with earlier indexes the state counts as restored from a backup, and its value is accepted. */
  replayMs?: number;
};

/**
 * Returns the index for the next query, which blocks unless it is 0. An index that went backwards resets to 0, and so
 * does one that stayed: a query that timed out shows no difference between a quiet service and a server that is cut
 * off from its leader, so the next query asks for the state. An answered 0 becomes 1, because Consul does not block on
 * 0.
 */
export function nextIndex(asked: number, answered: number): number {
  if (!Number.isFinite(answered) || answered < asked || (asked > 0 && answered === asked)) return 0;
  return Math.max(1, answered);
}

/** A server that has not heard from its leader for this long may be cut off. Elections take less. */
const maxStaleMs = 10_000;

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
 *
 * A server that is cut off from its leader answers stale reads without end. After a timeout the next query therefore
 * does not block. If its server has not heard from the leader, the leader is asked: the agent then changes to a server
 * that reaches it. Without any leader the last value stays.
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

  /** Accepts an answer to a query from index `asked`; returns the length of its value. */
  const accept = (answer: BlockingAnswer, asked: number): number => {
    const value = parse(answer.body);
    const text = JSON.stringify(value);
    index = nextIndex(asked, answer.index);
    reached = answer.index;
    if (text !== last) {
      last = text;
      onChange(value);
    }
    return text.length;
  };

  while (!signal.aborted) {
    try {
      const asked = index;
      const answer = await consul.blockingGet(path, { index: asked, signal });
      if (answer.index < asked) {
        // Another server that is behind. Only the answer to a query without an index shows a state that went back.
        index = 0;
        await sleep(leastSpacingMs, signal);
        continue;
      }
      if (failures > 0 && answer.index < reached) {
        behindSince ??= performance.now();
        if (performance.now() - behindSince < replayMs) {
          await sleep(replayPollMs, signal);
          continue;
        }
      }
      let length = accept(answer, asked);
      failures = 0;
      behindSince = undefined;
      if (asked > 0) {
        if (index > 0) onContact?.();
      } else if ((answer.leaderSeenMs ?? 0) <= maxStaleMs) onContact?.();
      else {
        const latest = await askLeader(options);
        if (latest !== undefined) {
          length = accept(latest, 0);
          onContact?.();
        }
      }
      await sleep(spacingMs(length), signal);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      index = 0;
      onError?.(error);
      await sleep(backoff({ attempt: failures, baseMs: 100, maxMs: 1000 }), signal).catch(() => {});
    }
  }
}

/** The state as the leader has it; undefined if there is none that answers. */
async function askLeader<T>({ consul, path, signal, onError }: WatchOptions<T>): Promise<BlockingAnswer | undefined> {
  try {
    return await consul.blockingGet(path.replace("stale=1", "leader=1"), { index: 0, signal });
  } catch (error) {
    onError?.(error);
    return undefined;
  }
}
