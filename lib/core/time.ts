/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. Holds no timer afterwards. */
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

/** A signal that aborts after `ms`, or earlier with any of the others. */
export function deadline(ms: number, ...others: (AbortSignal | undefined)[]): AbortSignal {
  const signals = others.filter((other) => other !== undefined);
  return AbortSignal.any([AbortSignal.timeout(ms), ...signals]);
}

/** Now, as ISO 8601 in UTC. */
export function isoNow(): string {
  return new Date().toISOString();
}

type Anchor = { epochMs: number; at: number };

let anchor: Anchor | undefined;
let steps = 0;

/**
 * Unix time in ms by the clock that all processes share: the database's, once lib/db/client/clock.ts has measured it, and it
 * runs on whatever happens to this machine's clock. Before that, this machine's. For every moment that is stored, or
 * compared with a stored one.
 */
export function sharedNow(): number {
  return anchor === undefined ? Date.now() : Math.floor(anchor.epochMs + performance.now() - anchor.at);
}

/** {@link sharedNow} as a Date. */
export function sharedDate(): Date {
  return new Date(sharedNow());
}

/** Sets the shared clock to `epochMs` at the moment `at` of `performance.now()`; undefined: back to the machine's. */
export function setSharedTime(next: Anchor | undefined): void {
  const before = sharedNow();
  anchor = next;
  if (Math.abs(sharedNow() - before) > 1_000) steps += 1;
}

/** How often the shared clock was stepped by more than a second. */
export function sharedTimeSteps(): number {
  return steps;
}
