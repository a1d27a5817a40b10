import { parseWaVersion, waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

await runScaleCommand(
  scaleCommand(
    "scale:wa-version",
    "VERSION=2.3000.1043857760",
    `Set the version of WhatsApp Web that shards announce to WhatsApp.

WhatsApp retires versions: logins and pairings then fail with 405 until a newer version is set.
Running shards follow at once and log in again. VERSION=default restores the version of the release.`,
  ).addOption(taskVariable("--version <version>").argParser(parseVersion).makeOptionMandatory()),
  ({ version }) =>
    async (target) => [
      await changeSetting(target, { key: waVersionKey, title: "WhatsApp Web's version", first: "default" }, version),
    ],
);

function parseVersion(text: string): string {
  const version = parseWaVersion(text);
  if (version !== null) return version;
  throw new InvalidArgumentError('VERSION must be three numbers such as 2.3000.1043857760, or "default".');
}
