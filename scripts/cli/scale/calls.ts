import { callLimitKey, maxCallLimit } from "../../../lib/calls/limit.ts";
import { commonUsage, countOf, runCommand, UsageFault } from "./command.ts";
import { changeLimit } from "./live_limit.ts";
import { scaleStateless } from "./stateless.ts";

const usage = `Usage: task scale:calls [N=COUNT] [MAX=CALLS] [-- OPTIONS]

Sets how many replicas of the calls service run (N), and how many calls may be in progress at once over all of them
(MAX). The limit counts from the next call on, without a restart; lowering it ends no call.

${commonUsage}`;

await runCommand({
  name: "scale:calls",
  usage,
  options: { count: { type: "string" }, max: { type: "string" } },
  prepare: (values) => {
    if (!values.count && !values.max) throw new UsageFault("give N, MAX or both");
    const count = values.count ? countOf("N", values.count, { min: 1, max: 1000 }) : null;
    const max = values.max ? countOf("MAX", values.max, { min: 0, max: maxCallLimit }) : null;
    return async (target, settings) => [
      ...(count === null ? [] : [await scaleStateless(target, { job: "calls", group: "calls" }, count, settings)]),
      ...(max === null ? [] : [await changeLimit(target, { key: callLimitKey, title: "calls at once" }, max)]),
    ];
  },
});
