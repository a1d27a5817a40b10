import { messageOf } from "../../../../lib/core/errors.ts";
import { sleep } from "../../../../lib/core/time.ts";
import { seconds } from "../../../stack/progress.ts";
import { ScaleFailure } from "../failure.ts";
import type { Report } from "../report.ts";
import { isUnavailable } from "../../../stack/elections.ts";

const pollMs = 500;

/**
 * Polls until `look` answers null; until then it answers what is missing. A server without a leader is waited for.
 * @throws ScaleFailure with what is missing, and `hint`, after the deadline
 */
export async function awaitNothing(
  report: Report,
  { deadlineMs, hint }: { deadlineMs: number; hint: string },
  look: () => Promise<string | null>,
): Promise<void> {
  const began = performance.now();
  for (;;) {
    const missing = await look().catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
      return messageOf(error);
    });
    if (missing === null) return;
    const elapsed = performance.now() - began;
    if (elapsed > deadlineMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${missing}. ${hint}`);
    report.waiting(`${seconds(elapsed)}  ${missing}`);
    await sleep(pollMs);
  }
}
