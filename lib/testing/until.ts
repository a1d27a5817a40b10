export type UntilOptions = {
  deadlineMs?: number;
  what?: string;
  /** Interval of the checks. By default it grows with the wait, from 20 ms to 100 ms. */
  everyMs?: number;
};

/** A tenth of the wait, within limits: a check often costs a millisecond of CPU time, and six test processes wait. */
const intervalAfter = (waitedMs: number): number => Math.min(Math.max(waitedMs / 10, 20), 100);

/**
 * Waits until `condition` returns something truthy, and returns it. Throws with `what` and the last value or error when
 * the deadline passes. Tests wait for a condition, never for a fixed time.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 60_000, what = "the condition", everyMs }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const start = performance.now();
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    const waitedMs = performance.now() - start;
    if (waitedMs > deadlineMs)
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${what}; last: ${String(last)}`);
    await Bun.sleep(everyMs ?? intervalAfter(waitedMs));
  }
}
