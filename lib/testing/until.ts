export type UntilOptions = { deadlineMs?: number; what?: string; everyMs?: number };

/**
 * Waits until `condition` returns something truthy, and returns it. Throws with `what` and the last value or error when
 * the deadline passes. Tests wait for a condition, never for a fixed time.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 60_000, what = "the condition", everyMs = 20 }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${what}; last: ${String(last)}`);
    await Bun.sleep(everyMs);
  }
}
