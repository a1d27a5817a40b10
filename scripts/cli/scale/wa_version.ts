import { parseWaVersion, waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { commonUsage, runCommand, UsageFault } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

const usage = `Usage: task scale:wa-version VERSION=2.3000.1043857760 [-- OPTIONS]

Sets the version of WhatsApp Web that shards name to WhatsApp. WhatsApp retires versions: logins and pairings then end
with 405 until a newer one is set. Running shards follow at once and log in again. VERSION=default is the version of
the release.

${commonUsage}`;

await runCommand({
  name: "scale:wa-version",
  usage,
  options: { version: { type: "string" } },
  prepare: (values) => {
    const version = parseWaVersion(String(values.version ?? ""));
    if (version === null) throw new UsageFault('VERSION must be three numbers such as 2.3000.1043857760, or "default"');
    const setting = { key: waVersionKey, title: "WhatsApp Web's version", first: "default" };
    return async (target) => [await changeSetting(target, setting, version)];
  },
});
