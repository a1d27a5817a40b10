import { assignmentRuleKey, assignmentRules } from "../../../lib/routing/index.ts";
import { commonUsage, runCommand, UsageFault } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

const usage = `Usage: task scale:assignment RULE=${assignmentRules.join("|")} [-- OPTIONS]

Sets by which rule a business gets its shard when it connects for the first time: hash (md5(id) mod N + 1), or
least_loaded (the available shard where the fewest businesses live). Counts at once and moves nobody.

${commonUsage}`;

await runCommand({
  name: "scale:assignment",
  usage,
  options: { rule: { type: "string" } },
  prepare: (values) => {
    const rule = assignmentRules.find((one) => one === values.rule);
    if (rule === undefined) throw new UsageFault(`RULE must be one of ${assignmentRules.join(", ")}`);
    return async (target) => [
      await changeSetting(target, { key: assignmentRuleKey, title: "assignment", first: "hash" }, rule),
    ];
  },
});
