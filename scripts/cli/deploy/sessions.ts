import { ApiFailure, bodyOf } from "../../../lib/api-client/index.ts";
import { sleep } from "../../../lib/core/time.ts";
import { isUnavailable } from "../../stack/elections.ts";
import { seconds } from "../../stack/progress.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Report } from "../scale/report.ts";
import type { Target } from "../scale/target.ts";

const pollMs = 500;

/** Businesses log out and in at any time; more of them than this at once are a fault. As in services/whatsapp. */
const toleratedShare = 0.05;

/** The open sessions of all shards; null if the API or a shard does not answer. */
export async function countOpenSessions({ api }: Pick<Target, "api">): Promise<number | null> {
  try {
    const { data } = await bodyOf(api.GET("/v1/admin/shards"));
    const counts = data.map(({ sessions_open }) => sessions_open ?? null);
    return counts.includes(null) ? null : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  } catch (error) {
    // A deploy may be what repairs the API.
    if (error instanceof ApiFailure || isUnavailable(error)) return null;
    throw error;
  }
}

/** True if so many sessions are open again that the others may have ended for reasons of their own. */
export const areOpenAgain = (before: number, now: number): boolean =>
  before - now <= Math.floor(before * toleratedShare);

export type SessionCounts = { before: number | null; now: number | null };

/**
 * Waits until as many sessions are open as `before` the change.
 * @throws ScaleFailure at the deadline
 */
export async function verifySessions(
  target: Target,
  before: number | null,
  report: Report,
  deadlineMs: number,
): Promise<SessionCounts> {
  if (before === null) {
    report.done("sessions are not compared: the API did not answer before the change");
    return { before, now: await countOpenSessions(target) };
  }
  let now: number | null = null;
  await report.step("sessions are open again", async () => {
    now = await awaitSessions(target, before, report, deadlineMs);
    return `${now} of ${before} sessions are open again`;
  });
  return { before, now };
}

async function awaitSessions(target: Target, before: number, report: Report, deadlineMs: number): Promise<number> {
  const began = performance.now();
  for (;;) {
    const now = await countOpenSessions(target);
    if (now !== null && areOpenAgain(before, now)) return now;
    const elapsed = performance.now() - began;
    const what = `${now ?? "an unknown number"} of ${before} sessions are open again`;
    if (elapsed > deadlineMs)
      throw new ScaleFailure(
        `Gave up after ${seconds(elapsed)}: ${what}. See task doctor and task logs -- wa-shards --level warn; ` +
          "task rollback JOB=wa-shards goes back.",
      );
    report.waiting(`${seconds(elapsed)}  ${what}`);
    await sleep(pollMs);
  }
}
