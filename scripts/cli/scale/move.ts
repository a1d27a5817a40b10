import { bodyOf } from "../../../lib/api-client/index.ts";
import { commonUsage, countOf, runCommand, UsageFault } from "./command.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { describeMoves, followMoves, movesUnderWay } from "./moves.ts";
import type { Target } from "./target.ts";

const usage = `Usage: task move BUSINESS=ID SHARD=NUMBER [-- OPTIONS]

Moves a business to another shard, without a new QR: its login is carried over, and its messages wait meanwhile, for
about a second. Cut short, the move goes on by itself; the same command follows it.

${commonUsage}`;

async function moveOf(target: Target, id: string, shard: number, deadlineMs: number): Promise<Change> {
  const path = { business_id: id };
  const read = () => bodyOf(target.api.GET("/v1/businesses/{business_id}", { params: { path } }));
  const business = await read();
  const underWay = (await movesUnderWay(target)).find((move) => move.business_id === business.id);
  const from = business.whatsapp_shard;
  const what = `${business.name}: shard ${from ?? "none"}${from === shard ? "" : ` → ${shard}`}`;
  const plan =
    underWay !== undefined
      ? [`follow its move from shard ${underWay.from_shard} to shard ${underWay.to_shard}, which is under way`]
      : from === shard
        ? []
        : [`move its login from shard ${from ?? "none"} to shard ${shard}`];
  return {
    what,
    plan,
    refusal:
      underWay !== undefined && underWay.to_shard !== shard
        ? `It is on the way to shard ${underWay.to_shard}: wait for the end of that.`
        : undefined,
    apply: (report) =>
      report.step(what, async () => {
        const begin = () =>
          bodyOf(target.api.POST("/v1/admin/businesses/{business_id}/move", { params: { path }, body: { shard } }));
        const move = underWay ?? (await begin());
        const [ended] = await followMoves(target, [move], report, { deadlineMs });
        if (ended?.status !== "done")
          throw new ScaleFailure(
            `The move was rolled back: ${ended?.error ?? "no reason given"}. The business is where it was.`,
          );
        return describeMoves([ended]);
      }),
    state: async () => ({ business: await read() }),
  };
}

await runCommand({
  name: "move",
  usage,
  options: { business: { type: "string" }, shard: { type: "string" } },
  prepare: (values) => {
    const { business } = values;
    if (typeof business !== "string" || business === "") throw new UsageFault("BUSINESS is missing");
    const shard = countOf("SHARD", values.shard, { min: 1, max: 10_000 });
    return async (target, { deadlineMs }) => [await moveOf(target, business, shard, deadlineMs)];
  },
});
