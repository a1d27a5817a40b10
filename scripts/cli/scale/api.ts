import { commonUsage, countOf, runCommand } from "./command.ts";
import { scaleStateless } from "./stateless.ts";

const usage = `Usage: task scale:api N=COUNT [-- OPTIONS]

Sets how many replicas of the API run; nginx follows without a failed request. Two survive the loss of one.

${commonUsage}`;

await runCommand({
  name: "scale:api",
  usage,
  options: { count: { type: "string" } },
  prepare: (values) => {
    const count = countOf("N", values.count, { min: 1, max: 1000 });
    return async (target, settings) => [await scaleStateless(target, { job: "api", group: "api" }, count, settings)];
  },
});
