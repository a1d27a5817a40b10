import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import type { Logger } from "../../../lib/runtime/log.ts";

export type RepeatOptions = {
  everyMs: number;
  signal: AbortSignal;
  logger: Logger;
  /** Logged with the error when the work fails; it is repeated all the same. */
  failure: string;
};

/** Repeats work until the signal aborts. Every replica does it. */
export async function repeatedly(
  work: () => Promise<unknown>,
  { everyMs, signal, logger, failure }: RepeatOptions,
): Promise<void> {
  while (!signal.aborted) {
    // Jitter, so that replicas that started together do not work at the same moment.
    await sleep(everyMs * (0.75 + Math.random() / 2), signal).catch(() => {});
    if (signal.aborted) return;
    await work().catch((error: unknown) => logger.warn({ error: messageOf(error) }, failure));
  }
}
