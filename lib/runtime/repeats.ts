import { messageOf } from "../core/errors.ts";

/** More different messages than this at once, and the oldest may be reported again before its time. */
const remembered = 100;

/**
 * For what fails over and over while something is away: reports the first of equal errors at once, then at most one
 * in `everyMs`, with how many were held back since.
 */
export function withoutRepeats(
  report: (error: unknown, heldBack: number) => void,
  everyMs = 30_000,
  now: () => number = () => performance.now(),
): (error: unknown) => void {
  const seen = new Map<string, { at: number; heldBack: number }>();
  return (error) => {
    const message = messageOf(error);
    const last = seen.get(message);
    if (last !== undefined && now() - last.at < everyMs) {
      last.heldBack += 1;
      return;
    }
    seen.delete(message);
    seen.set(message, { at: now(), heldBack: 0 });
    const [oldest] = seen.keys();
    if (seen.size > remembered && oldest !== undefined) seen.delete(oldest);
    report(error, last?.heldBack ?? 0);
  };
}
