import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { deploy } from "./deploy.ts";
import { readEnvironment, root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { runningJobs } from "./jobs.ts";
import { createNomad, orNull } from "./nomad.ts";
import type { Job, Nomad } from "./nomad.ts";
import { runProgram } from "./program.ts";
import { seconds } from "./progress.ts";
import { writeStackFile } from "./stack_file.ts";
import { writeStateFile } from "./state_file.ts";
import { JobFailure } from "./wait.ts";

// The second half of scripts/up: the agents run, and this brings everything in them to the state in the files.

const began = performance.now();
const step = (title: string) => process.stderr.write(`\n${title}  (${seconds(performance.now() - began)})\n`);
const say = (text: string) => process.stderr.write(`  ${text}\n`);

async function main(): Promise<void> {
  const environment = readEnvironment();
  const nomad = createNomad(environment.nomadAddr);

  await reviveAfterReboot(nomad, environment);
  // Agents that just restarted report their former state. Every check has run again after its interval of 2 s.
  if (environment.agentsStarted) await sleep(2_500);

  const admin = await deploy(environment, { step, say });
  await writeStackFile(environment, { admin, ca: join(environment.stateDir, "tls/ca.crt") });
  printSummary(environment, admin);
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
