import { AppError } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { HttpFailure, NoAnswer } from "../cli/operator/http.ts";

/** An election takes seconds, also on a loaded machine. */
const settleMs = 30_000;
const pollMs = 500;

/** True for the errors of a server without a leader, and of one that does not answer. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof NoAnswer || (error instanceof AppError && error.code === "unavailable")) return true;
  return error instanceof HttpFailure && error.status >= 500;
}

/** Repeats `work`, which must be idempotent, while Consul or Nomad has no leader. */
export async function acrossElections<T>(work: () => Promise<T>): Promise<T> {
  const end = performance.now() + settleMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > end) throw error;
      await sleep(pollMs);
    }
  }
}
