import { messageOf } from "../core/errors.ts";

/** Messages to deduplicate at once. Above that the oldest is evicted and may be reported again too early. */
const maxMessages = 100;

/**
 * Deduplicates errors that repeat while a dependency is unavailable. Reports the first of equal errors at once, then at
 * most one in `everyMs`, with the number of suppressed ones.
 */
export function withoutRepeats(
  report: (error: unknown, suppressed: number) => void,
  everyMs = 30_000,
  now: () => number = () => performance.now(),
): (error: unknown) => void {
  const seen = new Map<string, { at: number; suppressed: number }>();
  return (error) => {
    const message = messageOf(error);
    const last = seen.get(message);
    if (last !== undefined && now() - last.at < everyMs) {
      last.suppressed += 1;
      return;
    }
    seen.delete(message);
    seen.set(message, { at: now(), suppressed: 0 });
    const [oldest] = seen.keys();
    if (seen.size > maxMessages && oldest !== undefined) seen.delete(oldest);
    report(error, last?.suppressed ?? 0);
  };
}
