/** Resolves after `ms`. Clears its timer and rejects with the signal's reason as soon as the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves when `work` does, but after `ms` at the latest. `work` goes on then. */
export async function withinGrace(ms: number, work: Promise<unknown>): Promise<void> {
  const grace = Promise.withResolvers<void>();
  const timer = setTimeout(grace.resolve, ms);
  await Promise.race([work, grace.promise]);
  clearTimeout(timer);
}

/** Resolves as `work` does, or rejects with `late()` after `ms`. `work` goes on then. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), Math.max(0, ms));
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns a signal that aborts after `ms`, or earlier with any of the others. */
export function deadline(ms: number, ...others: (AbortSignal | undefined)[]): AbortSignal {
  const signals = others.filter((other) => other !== undefined);
  return AbortSignal.any([AbortSignal.timeout(ms), ...signals]);
}

type Anchor = { epochMs: number; at: number };

let anchor: Anchor | undefined;
let steps = 0;

/**
 * Returns Unix time in ms by the clock that all processes share: the database's, once lib/db/client/clock.ts has
 * measured it, and this machine's before that. Steps of this machine's clock do not affect it. Use it for every time
 * that is stored or compared with a stored one.
 */
export function sharedNow(): number {
  return anchor === undefined ? Date.now() : Math.floor(anchor.epochMs + performance.now() - anchor.at);
}

/** {@link sharedNow} as a Date. */
export function sharedDate(): Date {
  return new Date(sharedNow());
}

/** Sets the shared clock to `epochMs` at the moment `at` of `performance.now()`; undefined restores the machine's. */
export function setSharedTime(next: Anchor | undefined): void {
  const before = sharedNow();
  anchor = next;
  if (Math.abs(sharedNow() - before) > 1_000) steps += 1;
}

/** Returns how often the shared clock was stepped by more than a second. */
export function sharedTimeSteps(): number {
  return steps;
}
