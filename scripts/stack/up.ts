import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { adminKeyFile, deploy } from "./deploy.ts";
import { readEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { seconds } from "./progress.ts";
import { writeStackFile } from "./stack_file.ts";
import { JobFailure } from "./wait.ts";

// The second half of scripts/up: the agents run, and this brings everything in them to the state in the files.

const began = performance.now();
const step = (title: string) => process.stderr.write(`\n${title}  (${seconds(performance.now() - began)})\n`);
const say = (text: string) => process.stderr.write(`  ${text}\n`);

async function main(): Promise<void> {
  const environment = readEnvironment();
  const describe = () =>
    writeStackFile(environment, {
      admin: adminKeyFile(environment.stateDir),
      ca: join(environment.stateDir, "tls/ca.crt"),
    });
  if (process.env["PROSAAS_AGENTS_ONLY"]) {
    await describe();
    process.stderr.write(`\nThe agents of stack '${environment.stack}' run, without jobs.\n`);
    return;
  }

  // Agents that just restarted report their former state. Every check has run again after its interval of 2 s.
  if (environment.agentsStarted) await sleep(2_500);

  const admin = await deploy(environment, { step, say });
  await describe();
  printSummary(environment, admin);
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
