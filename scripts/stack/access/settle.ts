import { sleep } from "../../../lib/core/time.ts";
import { HttpFailure } from "../../cli/operator/http.ts";

/** A server that was just elected leader answers 403 and 500 until it has set itself up. */
const DEADLINE_MS = 30_000;
const RETRY_MS = 100;

/** Repeats idempotent `work` while a new leader refuses it. */
export async function untilSettled(work: () => Promise<void>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const settling = error instanceof HttpFailure && [403, 429, 500].includes(error.status);
      if (!settling || performance.now() > end) throw error;
      await sleep(RETRY_MS);
    }
  }
}
