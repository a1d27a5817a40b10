import { join } from "node:path";
import { stateFolder } from "../cli/operator/stack.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { simulatorTokenFile } from "./deploy.ts";
import type { Environment } from "./environment.ts";
import { writeStateFile } from "./state_file.ts";

/** Files of a stack: its admin key, and the authorities of its edge and of its agents. */
export type StackFiles = { admin: string; ca: string; agentsCa?: string };

/** Describes a stack to the commands, in stack.json of its folder. */
export async function writeStackFile(
  { stack, stateDir, baseUrl, simulatorUrl, nomadAddr, consulAddr, kind, ports, releasesUrl }: Environment,
  { admin, ca, agentsCa }: StackFiles,
): Promise<void> {
  const content: Stack = {
    stack,
    consul_http_addr: consulAddr,
    nomad_addr: nomadAddr,
    base_url: baseUrl,
    ca_file: ca,
    admin_key_file: admin,
    simulator_url: simulatorUrl,
    nomad_token_file: join(stateDir, "access/nomad-management"),
    consul_token_file: join(stateDir, "access/consul-management"),
    simulator_token_file: simulatorTokenFile(stateDir),
    ...(agentsCa === undefined ? {} : { agents_ca_file: agentsCa }),
    deploy: { kind, ports, releases_url: releasesUrl },
  };
  await writeStateFile(join(stateDir, "stack.json"), `${JSON.stringify(content, null, 2)}\n`);
}

/** The environment of the `up` that made a stack; null for a cluster that it did not make. */
export function environmentOfStack({ deploy, ...stack }: Stack): Environment | null {
  if (!deploy) return null;
  return {
    stack: stack.stack,
    stateDir: stateFolder(stack.stack),
    baseUrl: stack.base_url,
    simulatorUrl: stack.simulator_url ?? "",
    nomadAddr: stack.nomad_addr,
    consulAddr: stack.consul_http_addr,
    task: "./scripts/task",
    ports: deploy.ports,
    kind: deploy.kind,
    releasesUrl: deploy.releases_url,
    agentsStarted: false,
  };
}
