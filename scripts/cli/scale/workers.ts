import { profiles } from "../../../lib/queues/index.ts";
import { commonUsage, countOf, runCommand, UsageFault } from "./command.ts";
import { scaleStateless } from "./stateless.ts";

const usage = `Usage: task scale:workers GROUP=${profiles.join("|")} N=COUNT [-- OPTIONS]

Sets how many workers of a group run; waits until they serve.

${commonUsage}`;

await runCommand({
  name: "scale:workers",
  usage,
  options: { group: { type: "string" }, count: { type: "string" } },
  prepare: (values) => {
    const group = profiles.find((profile) => profile === values.group);
    if (group === undefined) throw new UsageFault(`GROUP must be one of ${profiles.join(", ")}`);
    const count = countOf("N", values.count, { min: 1, max: 1000 });
    return async (target, settings) => [await scaleStateless(target, { job: "workers", group }, count, settings)];
  },
});
