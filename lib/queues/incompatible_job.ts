import { UnrecoverableError } from "bullmq";
import { backoff } from "../core/retry.ts";

/**
 * This version of the program cannot run the job: it has no such job, or its schema refuses the payload. During a
 * rolling deploy the other version can, so the job waits in the queue, which both serve.
 */
export class IncompatibleJob extends UnrecoverableError {}

/** How long a job waits for a worker of another version. */
export type VersionWaits = {
  /** The delay doubles from `baseMs` to `maxMs`, half of it jitter. */
  baseMs: number;
  maxMs: number;
  /** Refusals in a row, after which the job becomes a dead letter. */
  refusals: number;
};

/**
 * 12 to 25 minutes in all, which covers the deploy of a group of workers (`update` in workers.nomad.hcl). While one
 * version of two refuses a job, it runs after two refusals on average.
 */
export const defaultVersionWaits: VersionWaits = { baseMs: 1_000, maxMs: 15_000, refusals: 103 };

/** The delay until another worker may take the job; undefined once it was refused too often. `refusals`: so far. */
export function waitForVersion(refusals: number, { refusals: most, ...delay }: VersionWaits): number | undefined {
  return refusals >= most ? undefined : backoff({ attempt: refusals + 1, ...delay });
}
