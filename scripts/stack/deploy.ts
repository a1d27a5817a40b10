import { basename, join } from "node:path";
import { ensureShardLocks } from "./access/shard_locks.ts";
import { callConsul } from "./consul.ts";
import { root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { readJobFile } from "./job_file.ts";
import { allJobs } from "./jobs.ts";
import { requireLeaders } from "./leaders.ts";
import { createNomad } from "./nomad.ts";
import type { Job, Nomad } from "./nomad.ts";
import { runProgram } from "./program.ts";
import { ensureRelease } from "./release/ensure.ts";
import { rollOut } from "./roll_out.ts";
import type { Reporter } from "./roll_out.ts";
import { addressesOf, distributeSecrets, ensureSecrets, retireSecrets } from "./secrets.ts";
import { ensureShardSecrets } from "./shard_secrets.ts";
import { requireValidSettings, writeSharedSettings } from "./settings/apply.ts";
import { writeStateFile } from "./state_file.ts";
import { plannedJob } from "./submit.ts";
import { readJobVariables, writeJobVariables } from "./variables.ts";
import { dataVolumesOf, ensureVolumes, planVolumes, poolOfVolumes, shardVolumes } from "./volumes.ts";
import type { Agents } from "./wait.ts";
import { valuesOfCluster } from "./workers_profile.ts";

/** Long enough for a slow disk's first initdb; a job that cannot start is given up far earlier. */
export const DEADLINE_MS = 180_000;

/**
 * Brings every job of a stack to the state in the files: releases, settings, secrets, volumes, jobs, schema. Its
 * agents run; it makes no difference how many. Running it again changes nothing. Returns the file with the admin key.
 * @throws JobFailure for the first job that does not become healthy.
 */
export async function deploy(environment: Environment, report: Reporter): Promise<string> {
  const { step, say } = report;
  await requireLeaders(environment);
  const nomad = createNomad(environment.nomadAddr);

  step("Release");
  const before = await readJobVariables(environment.stateDir);
  const releases = await ensureRelease(environment.stateDir, environment.releasesUrl);
  await writeJobVariables(environment, releases);
  const changed = Object.entries(releases).filter(([name, address]) => before[`NOMAD_VAR_${name}`] !== address);
  for (const [name, address] of changed) say(`${name.replace("_release", "").padEnd(12)} ${basename(address)}`);
  say(`${changed.length} of ${Object.keys(releases).length} tarballs are new`);

  step("Settings, secrets and volumes");
  const admin = await prepareSettings(nomad, environment, say);
  const read = async (id: string) =>
    [id, await readJobFile(id, environment, await valuesOfCluster(nomad, id))] as const;
  const jobs = new Map(await Promise.all(allJobs.map(read)));
  await prepareShards(environment, jobs);
  await requireValidSettings(nomad, [...jobs.values()]);
  await prepareVolumes(environment, jobs, say);

  await rollOut({ agents: environment, jobs, deadlineMs: DEADLINE_MS, report });
  await retireSecrets(nomad);
  return admin;
}

/** Writes the stack's settings, and the secrets that are missing. Returns the file with the admin key. */
export async function prepareSettings(nomad: Nomad, environment: Environment, say: Reporter["say"]): Promise<string> {
  if (await writeSharedSettings(nomad, environment)) say("wrote the shared settings (nomad/jobs)");
  return prepareSecrets(nomad, environment, say);
}

const countOfShards = async (nomad: Nomad, jobs: ReadonlyMap<string, Job>): Promise<number> => {
  const shards = jobs.get("wa-shards");
  return shards === undefined ? 0 : (await plannedJob(nomad, shards)).TaskGroups[0]!.Count;
};

/** Derives the secrets of the shards that `jobs` would run, and lets each take its lock. */
export async function prepareShards({ nomadAddr, consulAddr }: Agents, jobs: ReadonlyMap<string, Job>): Promise<void> {
  const nomad = createNomad(nomadAddr);
  const shards = await countOfShards(nomad, jobs);
  if (shards === 0) return;
  await ensureShardSecrets(nomad, shards);
  await ensureShardLocks({ nomad, consul: callConsul(consulAddr) }, shards);
}

/** Makes the volumes that `jobs` need and the cluster lacks. */
export async function prepareVolumes(
  { nomadAddr }: Agents,
  jobs: ReadonlyMap<string, Job>,
  say: Reporter["say"],
): Promise<void> {
  const shards = await countOfShards(createNomad(nomadAddr), jobs);
  const volumes = new Map([...dataVolumesOf([...jobs.values()]), ...shardVolumes(shards)]);
  const plan = await planVolumes(nomadAddr, volumes.keys(), poolOfVolumes([...jobs.values()]));
  for (const [name, node] of plan) say(`volume ${name} on ${node.name}`);
  await ensureVolumes(nomadAddr, volumes, plan);
  if (plan.size === 0) say("all there");
}

export const adminKeyFile = (stateDir: string) => join(stateDir, "admin.key");
export const simulatorTokenFile = (stateDir: string) => join(stateDir, "simulator.token");

/** Puts each job's secrets where its tasks find them; returns the file with the admin key. */
async function prepareSecrets(nomad: Nomad, { stateDir, ports }: Environment, say: Reporter["say"]): Promise<string> {
  const { secrets, added } = await ensureSecrets(nomad);
  const given = {
    wa_noise_root: await noiseRoot(secrets.simulator_seed),
    tls_authority: await Bun.file(join(stateDir, "tls/ca.crt")).text(),
    tls_certificate: await Bun.file(join(stateDir, "tls/edge.crt")).text(),
    tls_key: await Bun.file(join(stateDir, "tls/edge.key")).text(),
  };
  const changed = await distributeSecrets(nomad, { ...secrets, ...given }, addressesOf(ports));
  const file = adminKeyFile(stateDir);
  await writeStateFile(file, `${secrets.admin_key}\n`);
  await writeStateFile(simulatorTokenFile(stateDir), `${secrets.simulator_token}\n`);
  if (added.length > 0) say(`made ${added.length} secrets; they are in Nomad's variables`);
  if (changed.length > 0) say(`given to ${changed.join(", ")}`);
  return file;
}

/** The public key that shards must trust to speak with this stack's simulator. */
async function noiseRoot(seed: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(["bun", "run", "services/simulator/root.ts"], {
    cwd: root,
    env: { ...process.env, SIMULATOR_SEED: seed },
  });
  if (code !== 0)
    throw new Error(`services/simulator/root.ts did not print the simulator's Noise root: ${stderr.trim()}`);
  return stdout.trim();
}
