import { basename, join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { deployStages } from "./deploy_stages.ts";
import { dispatchOnce, releaseOfJob } from "./dispatch.ts";
import { readEnvironment, root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { readJobFile } from "./job_file.ts";
import { allJobs, batches, foundation, pooler, runningJobs, serviceStages } from "./jobs.ts";
import { createNomad, orNull } from "./nomad.ts";
import type { Job, Nomad } from "./nomad.ts";
import { runProgram } from "./program.ts";
import { seconds } from "./progress.ts";
import { ensureRelease } from "./release/ensure.ts";
import { distributeSecrets, ensureSecrets, retireSecrets } from "./secrets.ts";
import { ensureShardSecrets } from "./shard_secrets.ts";
import { requireValidSettings, writeSharedSettings } from "./settings/apply.ts";
import { writeStateFile } from "./state_file.ts";
import { plannedJob, submit } from "./submit.ts";
import { readJobVariables, writeJobVariables } from "./variables.ts";
import { dataVolumes, ensureVolumes, planVolumes, poolOfVolumes, shardVolumes } from "./volumes.ts";
import { JobFailure, waitForJobs } from "./wait.ts";
import { valuesOfCluster } from "./workers_profile.ts";

// The second half of scripts/up: the agents run, and this brings everything in them to the state in the files.

/** Long enough for a slow disk's first initdb; a job that cannot start is given up far earlier. */
const DEADLINE_MS = 180_000;

const began = performance.now();
const step = (title: string) => process.stderr.write(`\n${title}  (${seconds(performance.now() - began)})\n`);
const say = (text: string) => process.stderr.write(`  ${text}\n`);

async function main(): Promise<void> {
  const environment = readEnvironment();
  const nomad = createNomad(environment.nomadAddr);

  await reviveAfterReboot(nomad, environment);
  // Agents that just restarted report their former state. Every check has run again after its interval of 2 s.
  if (environment.agentsStarted) await sleep(2_500);

  step("Release");
  const before = await readJobVariables(environment.stateDir);
  const releases = await ensureRelease(environment.stateDir, environment.ports["releases"]!);
  await writeJobVariables(environment, releases);
  const changed = Object.entries(releases).filter(([name, address]) => before[`NOMAD_VAR_${name}`] !== address);
  for (const [name, address] of changed) say(`${name.replace("_release", "").padEnd(12)} ${basename(address)}`);
  say(`${changed.length} of ${Object.keys(releases).length} tarballs are new`);

  step("Settings, secrets and volumes");
  if (await writeSharedSettings(nomad, environment)) say("wrote the shared settings (nomad/jobs)");
  const admin = await prepareSecrets(nomad, environment);
  const read = async (id: string) =>
    [id, await readJobFile(id, environment, await valuesOfCluster(nomad, id))] as const;
  const jobs = new Map(await Promise.all(allJobs.map(read)));
  const shards = (await plannedJob(nomad, jobs.get("wa-shards")!)).TaskGroups[0]!.Count;
  await ensureShardSecrets(nomad, shards);
  await requireValidSettings(nomad, [...jobs.values()]);
  const volumes = new Map([...dataVolumes, ...shardVolumes(shards)]);
  const plan = await planVolumes(environment.nomadAddr, volumes.keys(), poolOfVolumes([...jobs.values()]));
  for (const [name, node] of plan) say(`volume ${name} on ${node.name}`);
  await ensureVolumes(environment.nomadAddr, volumes, plan);
  if (plan.size === 0) say("all there");

  const register = async (id: string) => {
    if (await submit(nomad, jobs.get(id)!)) say(`${id.padEnd(12)} registered`);
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
    runs: async (id) => (await orNull(nomad<Job>("GET", `/v1/job/${id}`)))?.Stop === false,
    register,
    settle: async (ids) => {
      await waitForJobs(ids, environment, settled);
      for (const id of ids) reported.add(id);
    },
  });
  await waitForJobs(runningJobs, environment, { ...settled, known: [...reported] });
  await retireSecrets(nomad);

  await writeStackFile(environment, admin);
  printSummary(environment, admin);
}

const simulatorTokenFile = (stateDir: string) => join(stateDir, "simulator.token");

/** Puts each job's secrets where its tasks find them; returns the file with the admin key. */
async function prepareSecrets(nomad: Nomad, { stateDir, ports }: Environment): Promise<string> {
  const { secrets, added } = await ensureSecrets(nomad);
  const given = {
    wa_noise_root: await noiseRoot(secrets.simulator_seed),
    tls_authority: await Bun.file(join(stateDir, "tls/ca.crt")).text(),
    tls_certificate: await Bun.file(join(stateDir, "tls/edge.crt")).text(),
    tls_key: await Bun.file(join(stateDir, "tls/edge.key")).text(),
  };
  const at = (port: string) => `127.0.0.1:${ports[port]}`;
  const changed = await distributeSecrets(
    nomad,
    { ...secrets, ...given },
    { postgres: at("postgres"), replica: at("postgres_replica"), pooler: at("pgbouncer"), redis: at("redis") },
  );
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

/**
 * A machine that was restarted has lost the memory file systems of its tasks, and Nomad restarts the tasks
 * without mounting them again: secrets would land on disk. New allocations replace the old ones.
 */
async function reviveAfterReboot(nomad: Nomad, { stateDir }: Environment): Promise<void> {
  const path = join(stateDir, "boot-id");
  const file = Bun.file(path);
  const boot = (await Bun.file("/proc/sys/kernel/random/boot_id").text()).trim();
  const last = (await file.exists()) ? (await file.text()).trim() : boot;
  if (last !== boot) {
    step("The machine was restarted: every job gets new allocations");
    // One after the other: Nomad schedules nothing on a node while an allocation hands a fixed port to its successor.
    for (const id of runningJobs) await reschedule(nomad, id);
    await nomad("PUT", "/v1/system/gc");
  }
  await writeStateFile(path, `${boot}\n`);
}

async function reschedule(nomad: Nomad, id: string): Promise<void> {
  const job = await orNull(nomad<Job>("GET", `/v1/job/${id}`));
  if (job === null || job.Stop) return;
  const command = ["nomad", "job", "restart", "-reschedule", "-yes", "-on-error=fail", id];
  const { code, stderr } = await runProgram(command, { cwd: root });
  say(code === 0 ? id : `${id}: ${stderr.trim()}`);
}

async function writeStackFile(
  { stack, stateDir, baseUrl, simulatorUrl, nomadAddr, consulAddr }: Environment,
  admin: string,
): Promise<void> {
  const content = {
    stack,
    consul_http_addr: consulAddr,
    nomad_addr: nomadAddr,
    base_url: baseUrl,
    ca_file: join(stateDir, "tls/ca.crt"),
    admin_key_file: admin,
    simulator_url: simulatorUrl,
    nomad_token_file: join(stateDir, "access/nomad-management"),
    consul_token_file: join(stateDir, "access/consul-management"),
    simulator_token_file: simulatorTokenFile(stateDir),
  };
  await writeStateFile(join(stateDir, "stack.json"), `${JSON.stringify(content, null, 2)}\n`);
}

function printSummary({ stack, baseUrl, nomadAddr, consulAddr, stateDir, task }: Environment, admin: string): void {
  process.stderr.write(`
Stack '${stack}' is up after ${seconds(performance.now() - began)}.

  Console     ${baseUrl}/
  API         ${baseUrl}/v1/ (reference: ${baseUrl}/docs)
  Trust       ${join(stateDir, "tls/ca.crt")}
  Admin key   ${admin}
  Nomad       ${nomadAddr}
  Consul      http://${consulAddr}/ui/
  Tokens      ${join(stateDir, "access")}/{nomad,consul}-management (NOMAD_TOKEN, CONSUL_HTTP_TOKEN)

Next: ${task} demo        pairs a phone, sends messages, shows their ticks
      ${task} demo:call   calls a business, and has it call back
      ${task} status      what runs
`);
}

try {
  await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\n${error instanceof JobFailure ? message : `up: ${message}`}\n`);
  process.exit(1);
}
