import { taskVariable } from "../arguments.ts";
import { countOf, runScaleCommand, scaleCommand } from "./command.ts";
import { scaleStateless } from "./stateless.ts";

await runScaleCommand(
  scaleCommand(
    "scale:api",
    "N=COUNT",
    "Set the number of API replicas. nginx follows without a failed request; two replicas survive the loss of one.",
  ).addOption(
    taskVariable("--count <n>")
      .argParser(countOf("N", { min: 1, max: 1000 }))
      .makeOptionMandatory(),
  ),
  ({ count }) =>
    async (target, settings) => [await scaleStateless(target, { job: "api", group: "api" }, count, settings)],
);
