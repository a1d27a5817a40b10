import { profiles } from "../../../lib/queues/index.ts";
import { taskVariable } from "../arguments.ts";
import { countOf, oneOf, runScaleCommand, scaleCommand } from "./command.ts";
import { scaleStateless } from "./stateless.ts";

await runScaleCommand(
  scaleCommand(
    "scale:workers",
    `GROUP=${profiles.join("|")} N=COUNT`,
    "Set the number of workers of a group and wait until they are ready.",
  )
    .addOption(taskVariable("--group <name>").argParser(oneOf("GROUP", profiles)).makeOptionMandatory())
    .addOption(
      taskVariable("--count <n>")
        .argParser(countOf("N", { min: 1, max: 1000 }))
        .makeOptionMandatory(),
    ),
  ({ group, count }) =>
    async (target, settings) => [await scaleStateless(target, { job: "workers", group }, count, settings)],
);
