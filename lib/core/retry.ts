import { sleep } from "./time.ts";

export type Backoff = {
  /** Attempts made so far, from 1. */
  attempt: number;
  baseMs: number;
  maxMs: number;
  /** Random part of the delay, 0 to 1. Half by default: it spreads simultaneous retries, and the delay still grows. */
  jitter?: number;
};

/** Returns the milliseconds to wait before the next attempt: exponential, capped, jittered downwards. */
export function backoff({ attempt, baseMs, maxMs, jitter = 0.5 }: Backoff, random = Math.random): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, attempt - 1)));
  return Math.round(full * (1 - jitter * random()));
}

export type RetryOptions = {
  attempts: number;
  baseMs: number;
  maxMs: number;
  signal?: AbortSignal;
  retryIf?: (error: unknown) => boolean;
};

/** Calls `fn` up to `attempts` times and backs off between attempts. Throws the last error. */
export async function retry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn(attempt);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (attempt >= options.attempts || options.retryIf?.(error) === false) throw error;
      await sleep(backoff({ attempt, baseMs: options.baseMs, maxMs: options.maxMs }), options.signal);
    }
  }
}
