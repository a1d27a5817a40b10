import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { formatNodes } from "../../cli/agents/nodes.ts";
import { stateFolder } from "../../cli/operator/stack.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import { chooseNetwork, networksInUse } from "./addresses.ts";
import { destroyCgroups, hierarchies } from "./cgroups.ts";
import { clusterSize, layoutOf, namePrefix } from "./layout.ts";
import type { ClusterSize } from "./layout.ts";
import { createNetwork, findNetwork, removeNetwork } from "./network.ts";
import type { Cluster } from "./node.ts";

const sizeFile = (state: string) => join(state, "cluster.json");

/** True if there is a cluster of that name, whole or not. */
export const exists = (name: string): boolean => existsSync(sizeFile(stateFolder(name)));

/** The cluster of a name that `up` made. @throws AppError if there is none */
export async function readCluster(name: string): Promise<Cluster> {
  const state = stateFolder(name);
  const text = await readFile(sizeFile(state), "utf8").catch(() => null);
  if (text === null)
    throw new AppError("not_found", `There is no cluster "${name}" here: task cluster -- up makes one.`);
  return { layout: layoutOf(clusterSize.parse(JSON.parse(text))), state };
}

export type AskedSize = Pick<ClusterSize, "name" | "servers" | "clients"> & { network?: string | undefined };

/** The cluster of a name, made now unless it exists; nothing runs on new nodes yet. */
export async function ensureCluster(asked: AskedSize): Promise<Cluster> {
  const state = stateFolder(asked.name);
  if (existsSync(sizeFile(state))) {
    const cluster = await readCluster(asked.name);
    const { servers, clients } = cluster.layout;
    if (servers.length === asked.servers && clients.length === asked.clients) return cluster;
    throw new AppError(
      "conflict",
      `The cluster "${asked.name}" has ${servers.length} servers and ${clients.length} clients: ` +
        "task cluster -- down removes it, and up then makes one of another size.",
    );
  }
  if (existsSync(join(state, "port-offset")))
    throw new AppError("conflict", `"${asked.name}" is a stack of this machine (${state}): choose another name.`);
  const { links, namespaces } = await findNetwork(asked.name);
  if (links.length + namespaces.length > 0)
    throw new AppError(
      "conflict",
      `Something of a former cluster "${asked.name}" is left (${[...links, ...namespaces].join(", ")}): ` +
        "task cluster -- down removes it.",
    );
  const network = chooseNetwork(await networksInUse(), asked.network);
  const size = clusterSize.parse({ ...asked, network });
  await mkdir(state, { recursive: true, mode: 0o700 });
  // First, so that `down` finds what is made next.
  await writeStateFile(sizeFile(state), `${JSON.stringify(size)}\n`);
  const cluster = { layout: layoutOf(size), state };
  // For task certs and task access.
  await writeStateFile(join(state, "nodes.conf"), formatNodes(cluster.layout.nodes));
  await createNetwork(cluster.layout);
  return cluster;
}

/** Removes all of a cluster: processes, cgroups, network, data. Returns true if any of it was there. */
export async function removeCluster(name: string): Promise<boolean> {
  const state = stateFolder(name);
  const isOurs = existsSync(sizeFile(state));
  const { links, namespaces } = await findNetwork(name);
  const cgroups = (await hierarchies()).map((root) => join(root, namePrefix(name))).filter(existsSync);
  await destroyCgroups(cgroups);
  await removeNetwork(name);
  // A stack of this machine may have the name.
  if (isOurs) await rm(state, { recursive: true, force: true });
  return isOurs || links.length + namespaces.length + cgroups.length > 0;
}
