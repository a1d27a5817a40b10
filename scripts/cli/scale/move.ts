import { bodyOf } from "../../../lib/api-client/index.ts";
import { taskVariable } from "../arguments.ts";
import { countOf, runScaleCommand, scaleCommand } from "./command.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { describeMoves, followMoves, runningMoves } from "./moves.ts";
import type { Target } from "./target.ts";

async function moveOf(target: Target, id: string, shard: number, deadlineMs: number): Promise<Change> {
  const path = { business_id: id };
  const read = () => bodyOf(target.api.GET("/v1/businesses/{business_id}", { params: { path } }));
  const business = await read();
  const running = (await runningMoves(target)).find((move) => move.business_id === business.id);
  const from = business.whatsapp_shard;
  const what = `${business.name}: shard ${from ?? "none"}${from === shard ? "" : ` → ${shard}`}`;
  const plan =
    running !== undefined
      ? [`follow its move from shard ${running.from_shard} to shard ${running.to_shard}, which is running`]
      : from === shard
        ? []
        : [`move its login from shard ${from ?? "none"} to shard ${shard}`];
  return {
    what,
    plan,
    refusal:
      running !== undefined && running.to_shard !== shard
        ? `It is moving to shard ${running.to_shard}: wait for the end of that move.`
        : undefined,
    apply: (report) =>
      report.step(what, async () => {
        const begin = () =>
          bodyOf(target.api.POST("/v1/admin/businesses/{business_id}/move", { params: { path }, body: { shard } }));
        const move = running ?? (await begin());
        const [ended] = await followMoves(target, [move], report, { deadlineMs });
        if (ended?.status !== "done")
          throw new ScaleFailure(
            `The move was rolled back: ${ended?.error ?? "no reason given"}. The business stayed on its shard.`,
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
