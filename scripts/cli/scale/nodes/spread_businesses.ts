import type { Deadlines } from "../job_group.ts";
import { describeMoves, followMoves, rebalance, runningMoves } from "../moves.ts";
import { ScaleFailure } from "../failure.ts";
import type { Report } from "../report.ts";
import type { Target } from "../target.ts";

/** Moves that one request starts. */
const batch = 200;

/** Moves businesses until they are spread evenly over the nodes, and over the shards of each. */
export async function spreadBusinesses(
  target: Target,
  { maxSessions }: { maxSessions: number },
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  for (;;) {
    const running = await runningMoves(target);
    const { data } = await rebalance(target, { dry_run: false, drain: [], max: batch, max_sessions: maxSessions });
    const moves = [...new Map([...running, ...data].map((move) => [move.id, move])).values()];
    if (moves.length === 0) return;
    await report.step("businesses are spread over the nodes", async () => {
      const ended = await followMoves(target, moves, report, deadlines);
      const failed = ended.find(({ status }) => status === "rolled_back");
      if (failed !== undefined)
        throw new ScaleFailure(
          `${describeMoves(ended)}, for example ${failed.business_id}: ${failed.error ?? "no reason given"}. ` +
            "Run the command again.",
        );
      return describeMoves(ended);
    });
  }
}
