import { bodyOf } from "../../../lib/api-client/index.ts";
import { taskVariable } from "../arguments.ts";
import { countOf, runScaleCommand, scaleCommand } from "./command.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { describeMoves, followMoves, movesUnderWay } from "./moves.ts";
import type { Target } from "./target.ts";

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

const command = scaleCommand(
  "move",
  "BUSINESS=ID SHARD=NUMBER",
  `Move a business to another shard, without a new QR code.

Transfers its login; its messages wait for about a second. After an interruption the move continues
by itself, and the same command follows it.`,
)
  .addOption(taskVariable("--business <id>").default(""))
  .addOption(
    taskVariable("--shard <n>")
      .argParser(countOf("SHARD", { min: 1, max: 10_000 }))
      .makeOptionMandatory(),
  );

await runScaleCommand(command, ({ business, shard }) => {
  if (business === "") command.error("error: BUSINESS is missing");
  return async (target, { deadlineMs }) => [await moveOf(target, business, shard, deadlineMs)];
});
