import { taskVariable } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { countOf, runScaleCommand, scaleCommand } from "./command.ts";
import { maxShards } from "../../stack/shard_secrets.ts";
import { maxSessionsOption } from "./max_sessions.ts";
import { changeShards } from "./shards_change.ts";
import { spareVolumes } from "./shards_down.ts";

await runScaleCommand(
  scaleCommand(
    "scale:shards",
    "N=COUNT",
    `Grow or shrink the WhatsApp shards while they run.

Growing creates secrets and volumes first and raises the number of shards in Consul last, when the
new shards are ready. Shrinking stops the highest shards and refuses while businesses are assigned
to them. After an interruption the same command continues.`,
  )
    .addOption(
      taskVariable("--count <n>")
        .argParser(countOf("N", { min: 1, max: maxShards }))
        .makeOptionMandatory(),
    )
    .option("--drain", "when shrinking: move the businesses to other shards first, without a new QR code", false)
    .addOption(maxSessionsOption())
    .option("--delete-volume", "delete the volumes of all shards above N; asks for confirmation", false)
    .option("--yes", "do not ask for confirmation", false),
  ({ count, drain, maxSessions, deleteVolume, yes }) =>
    async (target, settings) => {
      const volumes =
        deleteVolume && !settings.dryRun ? (await spareVolumes(target, count)).map(({ Name }) => Name) : [];
      if (volumes.length > 0 && !yes)
        await confirm(`delete ${volumes.length} volumes (${volumes.join(", ")}) with the logins in them`);
      return [await changeShards(target, { count, drain, maxSessions, deleteVolume }, settings)];
    },
);
