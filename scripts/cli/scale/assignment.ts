import { assignmentRuleKey, assignmentRules } from "../../../lib/routing/index.ts";
import { taskVariable } from "../arguments.ts";
import { oneOf, runScaleCommand, scaleCommand } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

await runScaleCommand(
  scaleCommand(
    "scale:assignment",
    `RULE=${assignmentRules.join("|")}`,
    `Set the rule that assigns a shard to a business at its first connect.

hash: md5(id) mod N + 1. least_loaded: the available shard with the fewest businesses. Applies at
once and moves no business.`,
  ).addOption(taskVariable("--rule <name>").argParser(oneOf("RULE", assignmentRules)).makeOptionMandatory()),
  ({ rule }) =>
    async (target) => [
      await changeSetting(target, { key: assignmentRuleKey, title: "assignment", first: "hash" }, rule),
    ],
);
