import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseWaVersion, waVersionKey } from "../../../lib/contracts/shard/wa_version.ts";
import { kvGet } from "../../../lib/consul/client.ts";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import type { Change } from "./command.ts";
import { changeSetting } from "./live_setting.ts";
import type { Target } from "./target.ts";

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
    async (target) => [set === undefined ? await shownSetting(target) : await changeSetting(target, setting, set)],
);

async function shownSetting({ consul }: Target): Promise<Change> {
  const state = async () => ({ [setting.key]: (await kvGet(consul, setting.key))?.value ?? null });
  const version = (await kvGet(consul, setting.key))?.value ?? setting.first;
  return { what: `${setting.title}: ${version}`, plan: [], apply: () => Promise.resolve(), state };
}

function parseVersion(text: string): string | undefined {
  // An unset variable of the Taskfile arrives as an empty text.
  if (text === "") return undefined;
  const version = parseWaVersion(text);
  if (version !== null) return version;
  throw new InvalidArgumentError('SET must be three numbers such as 2.3000.1043857760, or "default".');
}
