import { pacingSettings, parsePlatformPacing, platformPacingKey } from "../../../lib/contracts/shard/index.ts";
import { commonUsage, runCommand, UsageFault } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

const usage = `Usage: task scale:pacing SET='{"messages_per_minute": 30}' [-- OPTIONS]

Sets how fast accounts may send whose business did not choose, for the whole platform: JSON with any of
${Object.keys(pacingSettings.shape).join(", ")}.
Replaces what was set; {} is the defaults. Counts from the next message on.

${commonUsage}`;

await runCommand({
  name: "scale:pacing",
  usage,
  options: { set: { type: "string" } },
  prepare: (values) => {
    const settings = parsePlatformPacing(String(values.set ?? ""));
    if (settings === null) throw new UsageFault("SET must be JSON with limits that make sense");
    const value = JSON.stringify(settings);
    return async (target) => [
      await changeSetting(target, { key: platformPacingKey, title: "pacing", first: "{}" }, value),
    ];
  },
});
