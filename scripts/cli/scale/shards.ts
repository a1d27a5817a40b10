import { createInterface } from "node:readline/promises";
import { commonUsage, countOf, runCommand } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { maxShards } from "../../stack/shard_secrets.ts";
import { changeShards } from "./shards_change.ts";
import { spareVolumes } from "./shards_down.ts";

const usage = `Usage: task scale:shards N=COUNT [-- OPTIONS]

Grows or shrinks the WhatsApp shards while they run. Growing makes their secrets and volumes first, and raises the number of shards
in Consul last, when the new ones serve. Shrinking stops the highest ones and refuses while businesses live there.
Cut short at any point, the same command goes on from there.

  --drain          when shrinking: move the businesses to the other shards first, without a new QR
  --delete-volume  delete the volumes of shards above N, of those that went before too; asks first
  --yes            do not ask
${commonUsage}`;

await runCommand({
  name: "scale:shards",
  usage,
  options: {
    count: { type: "string" },
    drain: { type: "boolean", default: false },
    "delete-volume": { type: "boolean", default: false },
    yes: { type: "boolean", default: false },
  },
  prepare: (values) => {
    const wish = {
      count: countOf("N", values.count, { min: 1, max: maxShards }),
      drain: values.drain === true,
      deleteVolume: values["delete-volume"] === true,
    };
    return async (target, settings) => {
      const volumes =
        wish.deleteVolume && !settings.dryRun ? (await spareVolumes(target, wish.count)).map(({ Name }) => Name) : [];
      if (volumes.length > 0 && values.yes !== true) await confirm(volumes);
      return [await changeShards(target, wish, settings)];
    };
  },
});

async function confirm(volumes: string[]): Promise<void> {
  if (!process.stdin.isTTY) throw new ScaleFailure(`--delete-volume would delete ${volumes.join(", ")}: add --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Delete ${volumes.join(", ")} with what is on them? Type yes to go on: `);
  terminal.close();
  if (answer !== "yes") throw new ScaleFailure("Nothing was changed.");
}
