import { chown, readdir } from "node:fs/promises";
import { join } from "node:path";
import { kvPut } from "../../../lib/consul/client.ts";
import { AppError } from "../../../lib/core/errors.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";
import { connectConsul } from "../../stack/consul.ts";
import { allJobs } from "../../stack/jobs.ts";
import { createNomad } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVariable, writeVariable } from "../../stack/secrets.ts";
import { dataVolume, ensureVolumes, planVolumes } from "../../stack/volumes.ts";
import { volumesOfMachine } from "./cluster.ts";
import type { Manifest } from "./manifest.ts";
import { kinds, restoreObjects } from "./objects.ts";
import { copiesShards, openStorages } from "./sources.ts";
import type { Content } from "./verify.ts";

/** How far the log is replayed: to the moment of the backup, to a time, or to its end. */
export type Until = { is: "backup" } | { is: "time"; at: Date } | { is: "latest" };

/**
 * The backup to begin with: for a time, the newest one that is not later. Undefined if there is none, because the log
 * is replayed forwards only.
 */
export function chooseBackup(backups: readonly Manifest[], until: Until): Manifest | undefined {
  if (until.is !== "time") return backups.at(-1);
  return backups.findLast(({ consistent_at }) => Date.parse(consistent_at) <= until.at.getTime());
}

const targetItem = "restore_target";

/** The item that nomad/tasks/postgres-init.sh reads: label, type and target of pgBackRest. */
export function restoreTarget({ label, restore_point }: NonNullable<Manifest["postgres"]>, until: Until): string {
  if (until.is === "latest") return `${label} default`;
  if (until.is === "backup") return `${label} name ${restore_point}`;
  return `${label} time ${until.at.toISOString().replace("T", " ").replace("Z", "+00")}`;
}

/** The platform's jobs that are not stopped. */
export async function runningJobs(nomad: Nomad): Promise<string[]> {
  const stubs = await nomad<{ ID: string; Stop?: boolean; Status: string }[]>("GET", "/v1/jobs");
  return stubs.filter(({ ID, Stop, Status }) => allJobs.includes(ID) && !Stop && Status !== "dead").map(({ ID }) => ID);
}

export type RestoreInput = {
  nomadAddr: string;
  consulAddr: string;
  manifest: Manifest;
  content: Content;
  backups: ListableStore;
  until: Until;
  report: (step: string) => void;
};

/**
 * Restores a cluster without jobs: settings, secrets, files, and what Postgres is to start with. The jobs are deployed
 * after it, and Postgres and the shards restore themselves on their empty volumes. Running it again is harmless.
 */
export async function restoreCluster(input: RestoreInput): Promise<void> {
  const { nomadAddr, consulAddr, manifest, content, backups, until, report } = input;
  const nomad = createNomad(nomadAddr);
  const running = await runningJobs(nomad);
  if (running.length > 0)
    throw new AppError("conflict", `The cluster is not empty: it runs ${running.join(", ")}. Nothing was changed.`);
  report("settings and secrets");
  for (const [path, items] of content.variables) {
    const restored = manifest.postgres !== null && path === "nomad/jobs/postgres";
    const target: Record<string, string> = restored ? { [targetItem]: restoreTarget(manifest.postgres!, until) } : {};
    await writeVariable(nomad, path, { ...items, ...target }, await readVariable(nomad, path));
  }
  const consul = connectConsul(consulAddr);
  for (const [key, value] of content.settings) await kvPut(consul, key, value);
  if (content.variables.get("nomad/jobs")?.["STORAGE_URL"] === "file:///media") await makeMediaVolume(nomadAddr);
  const storages = await openStorages(content.variables, volumesOfMachine(nomadAddr));
  for (const kind of kinds) {
    const storage = storages[kind];
    if (storage === null) continue;
    report(`files (${kind})`);
    await restoreObjects(kind, content.objects[kind], backups, storage, ({ objects, bytes }) =>
      report(`files (${kind}): ${objects}, ${(bytes / 1_048_576).toFixed(1)} MB`),
    );
  }
  const folder = await volumesOfMachine(nomadAddr)("media");
  if (folder !== undefined) await giveToTasks(folder);
}

/** The target of a cluster that runs: Postgres alone goes back, when its job is started again. */
export async function restorePostgres({
  nomadAddr,
  manifest: { postgres },
  until,
}: Pick<RestoreInput, "nomadAddr" | "manifest" | "until">): Promise<void> {
  const nomad = createNomad(nomadAddr);
  const writers = (await runningJobs(nomad)).filter((id) => ["api", "workers", "calls", "wa-shards"].includes(id));
  if (writers.length > 0)
    throw new AppError("conflict", `Stop the jobs that write to Postgres first: nomad job stop ${writers.join(" ")}`);
  if (postgres === null)
    throw new AppError("conflict", "Postgres is managed: its provider restores it to a point in time.");
  const path = "nomad/jobs/postgres";
  const variable = await readVariable(nomad, path);
  await writeVariable(nomad, path, { ...variable.Items, [targetItem]: restoreTarget(postgres, until) }, variable);
}

async function makeMediaVolume(nomadAddr: string): Promise<void> {
  const plan = await planVolumes(nomadAddr, ["media"], () => "default");
  await ensureVolumes(nomadAddr, dataVolume("media"), plan);
}

/** The user of all tasks. */
const uid = 65_534;

async function giveToTasks(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true })) await chown(join(folder, entry), uid, uid);
}

/** Commands to run next, for a person. */
export function nextSteps({ counts, variables, settings }: Content): string[] {
  const shards = counts["wa-shards/shard"] ?? Number(settings.get("prosaas/whatsapp/num_shards") ?? 0);
  const others = Object.entries(counts)
    .filter(([group]) => /^(api|calls|workers)\//.test(group))
    .map(([group, count]) => `${group} ${count}`);
  return [
    "Make sure that nothing of the lost cluster runs: two owners of a login end each other's connections.",
    "Deploy the jobs: ./scripts/up, or nomad/README.md from step 5 on. Postgres restores itself when it starts.",
    ...(copiesShards(variables)
      ? [`Shards restore themselves; there were ${shards}: task scale:shards N=${shards}`]
      : []),
    ...(others.length > 0 ? [`Other counts were: ${others.join(", ")}.`] : []),
    "Check it: task doctor, task copies. Then make a backup: task backup",
  ];
}
