import { commonUsage, countOf, runCommand } from "./command.ts";
import type { Change, Settings } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { describeMoves, followMoves, movesUnderWay, rebalance } from "./moves.ts";
import type { Move, Planned } from "./moves.ts";
import { readAssignments } from "./shards_now.ts";
import type { Target } from "./target.ts";

const usage = `Usage: task rebalance [-- OPTIONS]

Spreads the businesses evenly over the shards, without a new QR for anybody. Shows the plan first. Cut short, the moves
that were begun go on by themselves; the same command follows them and plans the rest.

  --max N         most moves to begin (200)
${commonUsage}`;

/** How many businesses go from where to where. */
function summary(planned: readonly Planned[]): string[] {
  const counts = Map.groupBy(planned, ({ from_shard, to_shard }) => `shard ${from_shard} → ${to_shard}`);
  return [...counts].map(([way, moves]) => `${moves.length} businesses: ${way}`);
}

async function spread(target: Target, max: number, settings: Settings): Promise<Change> {
  const underWay = await movesUnderWay(target);
  const { planned } = await rebalance(target, { dry_run: true, max });
  return {
    what: "rebalance",
    plan: [...(underWay.length > 0 ? [`follow ${underWay.length} moves that are under way`] : []), ...summary(planned)],
    apply: (report) =>
      report.step("rebalance", async () => {
        const begun = planned.length > 0 ? (await rebalance(target, { max })).data : [];
        const moves = [...new Map([...underWay, ...begun].map((move) => [move.id, move])).values()];
        const ended = await followMoves(target, moves, report, settings);
        const failed: Move | undefined = ended.find(({ status }) => status === "rolled_back");
        if (failed !== undefined) {
          throw new ScaleFailure(
            `${describeMoves(ended)}, for example ${failed.business_id}: ${failed.error ?? "no reason given"}. Run the command again.`,
          );
        }
        return describeMoves(ended);
      }),
    state: async () => ({ assignments: (await readAssignments(target)).data }),
  };
}

await runCommand({
  name: "rebalance",
  usage,
  options: { max: { type: "string", default: "200" } },
  prepare: (values) => {
    const max = countOf("--max", values.max, { min: 1, max: 1000 });
    return async (target, settings) => [await spread(target, max, settings)];
  },
});
