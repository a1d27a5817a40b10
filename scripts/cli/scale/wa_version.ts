import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseWaVersion, waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import { changeSetting, showSetting } from "./live_setting.ts";

const setting = { key: waVersionKey, title: "WhatsApp Web's version", first: "default" };

await runScaleCommand(
  scaleCommand(
    "wa:version",
    "[SET=2.3000.1043857760]",
    `Show or set the version of WhatsApp Web that shards announce to WhatsApp.

WhatsApp retires versions: logins and pairings then fail with 405 until a newer version is set.
Running shards follow at once and log in again. SET=default restores the version of the release.`,
  ).addOption(taskVariable("--set <version>").argParser(parseVersion)),
  ({ set }) =>
    async (target) => [
      set === undefined ? await showSetting(target, setting) : await changeSetting(target, setting, set),
    ],
);

function parseVersion(text: string): string | undefined {
  // An unset variable of the Taskfile arrives as an empty text.
  if (text === "") return undefined;
  const version = parseWaVersion(text);
  if (version !== null) return version;
  throw new InvalidArgumentError('SET must be three numbers such as 2.3000.1043857760, or "default".');
}
