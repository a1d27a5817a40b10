import { sharedNow } from "../../../lib/core/time.ts";
import type { Claim } from "../../../lib/db/index.ts";
import type { JobName, Run, RunResult } from "../../../lib/queues/index.ts";
import { takeTurn } from "../turn.ts";
import type { Step, Wait } from "../turn.ts";
import type { LeaseDeps } from "../lease.ts";

/*
 * The share of a business in the media queue: one job of each kind, which handles a few files and then goes behind the
 * other businesses' jobs. However many files a business has, another waits for one turn of each.
 */

type FileJob = Extract<JobName, "fetch_media" | "prepare_media" | "describe_media">;

/** The file in flight when the time is over is finished. */
const limit = { steps: 8, ms: 5_000 };
const heldMs = 500;
const retryDelay = { baseMs: 1_000, maxMs: 30_000 };
/** The sweep wakes the job for files that are due later. */
const soonMs = 60_000;

/** The decoder has no slot for this business. */
export const decoderBusy: Wait = { inMs: 1_000, reason: "the decoder is busy" };

export type FileTurn<T, C extends Record<string, number>> = {
  counts: C;
  /** Takes the next file of the business. */
  claim: () => Promise<Claim<T>>;
  /** Files in flight; the latency of a host then costs less. */
  atOnce?: number;
  /** Handles one file and records its result. Returns the reason to end the turn, if there is one. */
  handle: (file: T) => Promise<Wait | undefined>;
};

/** Handles files of one business until none is due or the turn is over. */
export function takeFileTurn<T, C extends Record<string, number>>(
  deps: LeaseDeps,
  job: FileJob,
  run: Run<FileJob>,
  { counts, claim, atOnce = 1, handle }: FileTurn<T, C>,
): Promise<RunResult> {
  let handled = 0;
  const options = {
    lease: `prosaas:lease:${job}:${run.payload.business_id}`,
    heldMs,
    counts,
    hasProgressed: () => handled > 0,
    limit,
    retryDelay,
  };
  const step = async (): Promise<Step> => {
    const files: T[] = [];
    while (files.length < atOnce) {
      const next = await claim();
      if (next !== undefined && "work" in next) files.push(next.work);
      else if (files.length === 0) return untilDue(next);
      else break;
    }
    // Waits for every file, even after one failed: the lease ends with the turn, and another worker would repeat it.
    const results = await Promise.allSettled(files.map(handle));
    const waits = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    handled += waits.filter((wait) => wait === undefined).length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return waits.find((wait) => wait !== undefined) ?? "more";
  };
  return takeTurn(deps, run, options, (turn) => turn.repeat(step));
}

function untilDue(next: Exclude<Claim<unknown>, { work: unknown }>): Exclude<Step, "more"> {
  if (next === undefined) return "done";
  const inMs = Math.max(0, next.dueAt.getTime() - sharedNow());
  return inMs > soonMs ? "done" : { inMs, reason: "no file is due yet" };
}
