import { basename, join } from "node:path";
import { deployStages } from "./deploy_stages.ts";
import { dispatchOnce, releaseOfJob } from "./dispatch.ts";
import { acrossElections } from "./elections.ts";
import { root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { readJobFile } from "./job_file.ts";
import { allJobs, batches, foundation, pooler, runningJobs, serviceStages } from "./jobs.ts";
import { requireLeaders } from "./leaders.ts";
import { createNomad, orNull } from "./nomad.ts";
import type { Job, Nomad } from "./nomad.ts";
import { runProgram } from "./program.ts";
import { ensureRelease } from "./release/ensure.ts";
import { addressesOf, distributeSecrets, ensureSecrets, retireSecrets } from "./secrets.ts";
import { ensureShardSecrets } from "./shard_secrets.ts";
import { requireValidSettings, writeSharedSettings } from "./settings/apply.ts";
import { writeStateFile } from "./state_file.ts";
import { plannedJob, submit } from "./submit.ts";
import { readJobVariables, writeJobVariables } from "./variables.ts";
import { dataVolumesOf, ensureVolumes, planVolumes, poolOfVolumes, shardVolumes } from "./volumes.ts";
import { waitForJobs } from "./wait.ts";
import { valuesOfCluster } from "./workers_profile.ts";

/** Long enough for a slow disk's first initdb; a job that cannot start is given up far earlier. */
const DEADLINE_MS = 180_000;

export type Reporter = {
  /** Begins a part of the deploy. */
  step(title: string): void;
  say(text: string): void;
};

/**
 * Brings every job of a cluster to the state in the files: releases, settings, secrets, volumes, jobs, schema. Its
 * agents run; it makes no difference how many. Running it again changes nothing. Returns the file with the admin key.
 * @throws JobFailure for the first job that does not become healthy.
 */
export async function deploy(environment: Environment, { step, say }: Reporter): Promise<string> {
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
  if (await writeSharedSettings(nomad, environment)) say("wrote the shared settings (nomad/jobs)");
  const admin = await prepareSecrets(nomad, environment, say);
  const read = async (id: string) =>
    [id, await readJobFile(id, environment, await valuesOfCluster(nomad, id))] as const;
  const jobs = new Map(await Promise.all(allJobs.map(read)));
  const shards = (await plannedJob(nomad, jobs.get("wa-shards")!)).TaskGroups[0]!.Count;
  await ensureShardSecrets(nomad, shards);
  await requireValidSettings(nomad, [...jobs.values()]);
  const volumes = new Map([...dataVolumesOf([...jobs.values()]), ...shardVolumes(shards)]);
  const plan = await planVolumes(environment.nomadAddr, volumes.keys(), poolOfVolumes([...jobs.values()]));
  for (const [name, node] of plan) say(`volume ${name} on ${node.name}`);
  await ensureVolumes(environment.nomadAddr, volumes, plan);
  if (plan.size === 0) say("all there");

  const register = async (id: string) => {
    const changed = await acrossElections(() => submit(nomad, jobs.get(id)!));
    if (changed === undefined) return;
    say(`${id.padEnd(12)} registered${changed.length > 0 ? `: ${changed.join(", ")}` : ""}`);
  };

  step("Data services");
  for (const id of [...foundation, ...pooler, ...batches]) await register(id);
  await waitForJobs([...foundation, ...pooler], environment, { until: "serving", deadlineMs: DEADLINE_MS });

  step("Schema and indexes");
  for (const id of batches) await dispatchOnce(id, releaseOfJob(jobs.get(id)!), environment);

  step("Services");
  const settled = { until: "settled", deadlineMs: DEADLINE_MS } as const;
  const reported = new Set([...foundation, ...pooler]);
  await deployStages(serviceStages, {
    runs: async (id) => (await acrossElections(() => orNull(nomad<Job>("GET", `/v1/job/${id}`))))?.Stop === false,
    register,
    settle: async (ids) => {
      await waitForJobs(ids, environment, settled);
      for (const id of ids) reported.add(id);
    },
  });
  await waitForJobs(runningJobs, environment, { ...settled, known: [...reported] });
  await retireSecrets(nomad);
  return admin;
}

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
  const file = join(stateDir, "admin.key");
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
