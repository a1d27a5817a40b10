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
