import { kvGet, kvPut } from "../../lib/consul/client.ts";
import { assignmentRuleKey, assignmentRules } from "../../lib/routing/index.ts";
import type { AssignmentRule } from "../../lib/routing/index.ts";
import { commonUsage, runCommand, UsageFault } from "./command.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import type { Target } from "./target.ts";

const usage = `Usage: task scale:assignment RULE=${assignmentRules.join("|")} [-- OPTIONS]

Sets by which rule a business gets its shard when it connects for the first time: hash (md5(id) mod N + 1), or
least_loaded (the available shard where the fewest businesses live). Counts at once and moves nobody.

${commonUsage}`;

async function changeRule({ consul }: Target, rule: AssignmentRule): Promise<Change> {
  const entry = await kvGet(consul, assignmentRuleKey);
  const before = entry?.value ?? "hash";
  return {
    what: before === rule ? `assignment: ${rule}` : `assignment: ${before} → ${rule}`,
    plan: before === rule ? [] : [`write ${rule} to ${assignmentRuleKey} in Consul; the API follows at once`],
    apply: (report) =>
      report.step(`new businesses get their shard by ${rule}`, async () => {
        if (await kvPut(consul, assignmentRuleKey, rule, { cas: entry?.modifyIndex ?? 0 })) return;
        throw new ScaleFailure(`${assignmentRuleKey} was changed by somebody else meanwhile; look at it and run the command again.`);
      }),
    state: async () => ({ [assignmentRuleKey]: (await kvGet(consul, assignmentRuleKey))?.value ?? null }),
  };
}

await runCommand({
  name: "scale:assignment",
  usage,
  options: { rule: { type: "string" } },
  prepare: (values) => {
    const rule = assignmentRules.find((one) => one === values.rule);
    if (rule === undefined) throw new UsageFault(`RULE must be one of ${assignmentRules.join(", ")}`);
    return async (target) => [await changeRule(target, rule)];
  },
});
