import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import type { AgentNode, ClusterFolder } from "../agents/nodes.ts";

/*
 * Tokens and gossip keys of a cluster, in `access/` of its folder. Agents are configured with them before they start;
 * `task access` makes Consul and Nomad accept the tokens.
 */

export const gossipKey = (): string => randomBytes(32).toString("base64");

/** Those of all nodes; each Consul agent has a token of its own besides. */
const shared = {
  "consul-management": randomUUID,
  "nomad-management": randomUUID,
  "consul-nomad-server": randomUUID,
  "consul-nomad-client": randomUUID,
  "consul-gossip": gossipKey,
  "nomad-gossip": gossipKey,
} satisfies Record<string, () => string>;

export const agentToken = ({ name }: Pick<AgentNode, "name">): string => `consul-agent-${name}`;

export const secretFile = ({ state }: ClusterFolder, name: string): string => join(state, "access", name);

/** Generates a secret unless it exists. */
export async function ensureSecret(folder: ClusterFolder, name: string, generate: () => string): Promise<void> {
  const file = secretFile(folder, name);
  await mkdir(join(folder.state, "access"), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) await writeStateFile(file, generate());
}

export async function ensureSecrets(folder: ClusterFolder, nodes: readonly AgentNode[]): Promise<void> {
  for (const [name, generate] of Object.entries(shared)) await ensureSecret(folder, name, generate);
  for (const node of nodes) await ensureSecret(folder, agentToken(node), randomUUID);
}

/** @throws AppError if the secret was not made */
export async function readSecret(folder: ClusterFolder, name: string): Promise<string> {
  const text = await readFile(secretFile(folder, name), "utf8").catch(() => null);
  if (text === null) throw new AppError("not_found", `${secretFile(folder, name)} is missing: task certs -- make`);
  return text.trim();
}
