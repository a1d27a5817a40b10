import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { AppError } from "../../../lib/core/errors.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import type { ClusterFolder } from "../agents/nodes.ts";
import type { Caller } from "../operator/http.ts";
import { ensureSecret, gossipKey, readSecret, secretFile } from "./secrets.ts";

/** How many of the members that answered have a key. */
type Ring = { members: number; keys: Readonly<Record<string, number>> };

/** The gossip keys of all agents of a product, as one of them distributes them. */
export type Keyring = {
  product: "consul" | "nomad";
  read(): Promise<Ring>;
  change(action: "install" | "use" | "remove", key: string): Promise<unknown>;
};

type ConsulRing = { WAN: boolean; Keys: Record<string, number>; NumNodes: number };

export const consulKeyring = (consul: Caller): Keyring => ({
  product: "consul",
  read: async () => {
    const rings = await consul<ConsulRing[]>("GET", "/v1/operator/keyring");
    const { Keys, NumNodes } = rings.find(({ WAN }) => !WAN)!;
    return { members: NumNodes, keys: Keys };
  },
  change: (action, key) =>
    consul({ install: "POST", use: "PUT", remove: "DELETE" }[action], "/v1/operator/keyring", { Key: key }),
});

export const nomadKeyring = (nomad: Caller): Keyring => ({
  product: "nomad",
  read: async () => {
    const { Keys, NumNodes } = await nomad<Pick<ConsulRing, "Keys" | "NumNodes">>("GET", "/v1/agent/keyring/list");
    return { members: NumNodes, keys: Keys };
  },
  change: (action, key) => nomad("PUT", `/v1/agent/keyring/${action}`, { Key: key }),
});

/**
 * Replaces a gossip key while every agent runs: installs a second one, lets all use it, removes the first. Agents keep
 * their keys on disk, so none restarts. Run again after an interrupt, it completes.
 *
 * @param expected members that must have the new key: one that is down would not find the cluster again
 */
export async function rotateGossipKey(folder: ClusterFolder, keyring: Keyring, expected: number): Promise<void> {
  const name = `${keyring.product}-gossip`;
  const before = await keyring.read();
  requireMembers(keyring, before.members, expected);
  const next = secretFile(folder, `${name}.next`);
  await ensureSecret(folder, `${name}.next`, gossipKey);
  const key = await readSecret(folder, `${name}.next`);
  await keyring.change("install", key);
  const ring = await keyring.read();
  requireMembers(keyring, Math.min(ring.members, ring.keys[key] ?? 0), expected);
  await keyring.change("use", key);
  await writeStateFile(secretFile(folder, name), key);
  if (existsSync(next)) await rm(next);
  for (const old of Object.keys(ring.keys)) if (old !== key) await keyring.change("remove", old);
}

function requireMembers({ product }: Keyring, members: number, expected: number): void {
  if (members >= expected) return;
  throw new AppError(
    "unavailable",
    `Only ${members} of ${expected} agents of ${product} take part: one that is down would keep the former key and ` +
      "find no other. Start it, or take it out of nodes.conf (task certs -- make --nodes FILE), and run this again.",
  );
}
