import { InvalidArgumentError } from "@commander-js/extra-typings";
import { createDatabase, forPlatform } from "../../../lib/db/index.ts";
import { maxShards } from "../../stack/shard_secrets.ts";
import { seconds } from "../../stack/progress.ts";
import { taskVariable } from "../arguments.ts";
import { databaseUrl } from "../operator/database.ts";
import { surveyCopies } from "../operator/survey_copies.ts";
import { countOf, runScaleCommand, scaleCommand } from "../scale/command.ts";
import type { Change } from "../scale/command.ts";
import type { Target } from "../scale/target.ts";
import { applyRestore } from "./apply.ts";
import type { Options } from "./apply.ts";
import { isRefused, planRestore } from "./plan.ts";
import type { RestorePlan } from "./plan.ts";
import { readSettled, surveyShards } from "./survey.ts";

const shardList = (text: string): number[] => {
  if (text === "") throw new InvalidArgumentError("SHARD is missing.");
  const numbers = text.split(",").map(countOf("SHARD", { min: 1, max: maxShards }));
  return [...new Set(numbers)].toSorted((a, b) => a - b);
};

const command = scaleCommand(
  "restore",
  "SHARD=NUMBER[,NUMBER…] [NODE=NAME]",
  `Start the shards of a lost node elsewhere, from their copies; their sessions open without a QR code.

Makes a volume on the node with the fewest shards, waits until the lost owner holds neither its lease
nor its lock, and has Nomad forget the node ("Lost nodes" in nomad/README.md). Name all shards of the
node at once. After an interruption the same command continues. Run it again when the node is back: it
deletes the volume whose state is out of date.`,
)
  .addOption(taskVariable("--shards <list>").argParser(shardList).makeOptionMandatory())
  .addOption(taskVariable("--node <name>").default(""))
  .option("--force", "the node is lost, although Consul still reaches its agent", false)
  .option("--skip-refused", "restore the other shards if some are refused", false)
  .option("--until-owner", "do not wait for the sessions: needs no key of the API", false);

await runScaleCommand(command, ({ shards, node, force, skipRefused, untilOwner }) => async (target, { deadlineMs }) => {
  const db = createDatabase({ url: await databaseUrl(), poolSize: 1, applicationName: "prosaas-restore" });
  const copies = () => surveyCopies(forPlatform(db));
  const options = { copies, deadlineMs, isForced: force, skipRefused, awaitSessions: !untilOwner };
  return [await restoreChange(target, shards, node || undefined, options)];
});

/** The loss of a node takes time to be known, and the operator may be faster. */
function describeKept(kept: RestorePlan["kept"]): string {
  if (kept.length === 0) return "";
  const where = kept.map(({ shard, node }) => `shard ${shard} runs on ${node}`).join(", ");
  return ` (${where}; Nomad misses a lost node within 30 s)`;
}

async function restoreChange(
  target: Target,
  shards: readonly number[],
  node: string | undefined,
  options: Options,
): Promise<Change> {
  const read = () => surveyShards(target, options.copies, shards);
  const plan = await planRestore(target, await readSettled(read), await surveyShards(target, options.copies), node);
  const details: Record<string, unknown> = {
    shards,
    restored: [] as object[],
    volumes: plan.restored.map(({ shard, to }) => ({ shard, node: to.name })),
    purged: plan.purged.map(({ name }) => name),
    refused: plan.refusals,
  };
  return {
    what: `restore shard ${shards.join(", ")}${describeKept(plan.kept)}`,
    plan: plan.lines,
    details,
    refusal: isRefused(plan, options.skipRefused) ? plan.refusals.join(" ") : undefined,
    apply: async (report) => {
      const began = performance.now();
      const opened = await applyRestore(target, plan, report, options);
      const took = performance.now() - began;
      Object.assign(details, { restored: opened, restore_s: Number((took / 1000).toFixed(1)) });
      if (opened.length > 0)
        report.done(`shard ${opened.map(({ shard }) => shard).join(", ")} restored in ${seconds(took)}`);
      for (const { name } of plan.purged)
        report.done(`when ${name} is back, run the command again: it deletes the outdated volumes there`);
    },
    state: async () => ({ shards: (await read()).map(({ copy: _, ...state }) => state) }),
  };
}
