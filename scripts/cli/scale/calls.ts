import { callLimitKey, maxCallLimit } from "../../../lib/calls/limit.ts";
import { taskVariable } from "../arguments.ts";
import { countOf, runScaleCommand, scaleCommand } from "./command.ts";
import { changeLimit } from "./live_limit.ts";
import { scaleStateless } from "./stateless.ts";

const command = scaleCommand(
  "scale:calls",
  "[N=COUNT] [MAX=CALLS]",
  `Set the number of calls replicas (N) and the concurrent-call limit of all replicas together (MAX).

The limit applies from the next call on, without a restart. Lowering it ends no call.`,
)
  .addOption(taskVariable("--count <n>").argParser(countOf("N", { min: 1, max: 1000 })))
  .addOption(taskVariable("--max <n>").argParser(countOf("MAX", { min: 0, max: maxCallLimit })));

await runScaleCommand(command, ({ count, max }) => {
  if (count === undefined && max === undefined) command.error("error: give N, MAX or both");
  return async (target, settings) => [
    ...(count === undefined ? [] : [await scaleStateless(target, { job: "calls", group: "calls" }, count, settings)]),
    ...(max === undefined ? [] : [await changeLimit(target, { key: callLimitKey, title: "concurrent calls" }, max)]),
  ];
});
