import { pacingSettings, parsePlatformPacing, platformPacingKey } from "../../../lib/contracts/shard/index.ts";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import { changeSetting } from "./live_setting.ts";

await runScaleCommand(
  scaleCommand(
    "scale:pacing",
    `SET='{"messages_per_minute": 30}'`,
    `Set the platform's default pace: how fast accounts send whose business has no limits of its own.

SET is JSON with any of ${Object.keys(pacingSettings.shape).join(", ")}. It replaces the former
setting; {} restores the defaults. Applies from the next message on.`,
  ).addOption(taskVariable("--set <json>").argParser(parsePacing).makeOptionMandatory()),
  ({ set }) =>
    async (target) => [
      await changeSetting(target, { key: platformPacingKey, title: "pacing", first: "{}" }, JSON.stringify(set)),
    ],
);

function parsePacing(text: string) {
  const settings = parsePlatformPacing(text);
  if (settings === null) throw new InvalidArgumentError("SET must be JSON with valid limits.");
  return settings;
}
