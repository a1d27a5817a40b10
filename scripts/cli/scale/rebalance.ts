import { wholeNumber } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import type { Change, Settings } from "./command.ts";
import { maxSessionsOption } from "./max_sessions.ts";
import { ScaleFailure } from "./failure.ts";
import { describeMoves, followMoves, planRebalance, rebalance } from "./moves.ts";
import type { Move, Planned } from "./moves.ts";
import { readAssignments } from "./shards_now.ts";
import type { Target } from "./target.ts";

/** Counts the planned moves of each pair of shards. */
function summary(planned: readonly Planned[]): string[] {
  const counts = Map.groupBy(planned, ({ from_shard, to_shard }) => `shard ${from_shard} → ${to_shard}`);
  return [...counts].map(([way, moves]) => `${moves.length} businesses: ${way}`);
}

async function spread(
  target: Target,
  limits: { max: number; max_sessions: number },
  settings: Settings,
): Promise<Change> {
  const { running, planned } = await planRebalance(target, limits);
  return {
    what: "rebalance",
    plan: [
      ...(running.length > 0 ? [`follow the moves in progress: ${running.length}`] : []),
      ...summary(planned),
      ...(planned.length === limits.max ? [`--max ${limits.max} is reached: run the command again for the rest`] : []),
    ],
    apply: (report) =>
      report.step("rebalance", async () => {
        const started = planned.length > 0 ? (await rebalance(target, limits)).data : [];
        const moves = [...new Map([...running, ...started].map((move) => [move.id, move])).values()];
        const ended = await followMoves(target, moves, report, settings);
        const failed: Move | undefined = ended.find(({ status }) => status === "rolled_back");
        if (failed !== undefined) {
          throw new ScaleFailure(
            `${describeMoves(ended)}, for example ${failed.business_id}: ${failed.error ?? "no reason given"}. ` +
              "Run the command again.",
          );
        }
        return describeMoves(ended);
      }),
    state: async () => ({ assignments: (await readAssignments(target)).data }),
  };
}

await runScaleCommand(
  scaleCommand(
    "rebalance",
    "",
    `Spread the businesses evenly over the shards, without new QR codes.

Prints the plan first. After an interruption the started moves continue by themselves; the same
command follows them and plans the rest.`,
  )
    .option("--max <n>", "most moves to start", wholeNumber(1, 1000), 200)
    .addOption(maxSessionsOption()),
  ({ max, maxSessions }) =>
    async (target, settings) => [await spread(target, { max, max_sessions: maxSessions }, settings)],
);
