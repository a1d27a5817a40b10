import { sleep } from "../../../lib/core/time.ts";

export type Wait = <T>(what: string, condition: () => Promise<T | null | undefined | false>) => Promise<T>;

/**
 * Polls until a condition returns something, for at most `deadlineMs`. Errors, as of a restarting part, are retried.
 */
export function createWait(deadlineMs: number): Wait {
  return async (what, condition) => {
    const end = performance.now() + deadlineMs;
    let last = "";
    while (performance.now() < end) {
      try {
        const value = await condition();
        if (value) return value;
      } catch (error) {
        last = ` (${error instanceof Error ? error.message : String(error)})`;
      }
      await sleep(50);
    }
    throw new Error(`gave up after ${deadlineMs / 1000} s waiting for ${what}${last}`);
  };
}
