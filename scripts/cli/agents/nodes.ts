import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { stateFolder } from "../operator/stack.ts";

/** The folder of a cluster on the operator's machine: its nodes, certificates, keys and tokens. */
export type ClusterFolder = { readonly state: string };

const node = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "a name is lower-case letters, digits and hyphens, a letter first"),
  role: z.enum(["server", "client"], "a role is server or client"),
  address: z.ipv4("an address is that of IPv4"),
  /** The node pool of a client. */
  pool: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "a pool is lower-case letters, digits and hyphens"),
});
/** A machine with agents: a server of Consul and Nomad, or a client of both. */
export type AgentNode = Readonly<z.infer<typeof node>>;

const nodesFile = ({ state }: ClusterFolder): string => join(state, "nodes.conf");

/**
 * Parses the lines `NAME ROLE ADDRESS [POOL]` of nodes.conf. `#` begins a comment.
 * @throws AppError that names every faulty line
 */
export function parseNodes(text: string): AgentNode[] {
  const faults: string[] = [];
  const nodes = text.split("\n").flatMap((line, index): AgentNode[] => {
    const [name, role, address, pool = "default", ...rest] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (name === "") return [];
    const parsed = node.safeParse({ name, role, address, pool });
    const fault = parsed.success
      ? rest.length > 0 && "a line is NAME ROLE ADDRESS [POOL]"
      : parsed.error.issues[0]!.message;
    if (fault) faults.push(`line ${index + 1}: ${fault}`);
    return parsed.success ? [parsed.data] : [];
  });
  for (const key of ["name", "address"] as const)
    for (const [value, same] of Map.groupBy(nodes, (one) => one[key]))
      if (same.length > 1) faults.push(`${same.length} nodes have the ${key} ${value}`);
  if (!nodes.some(({ role }) => role === "server")) faults.push("there is no server");
  if (faults.length > 0) throw new AppError("invalid_request", `nodes.conf is wrong: ${faults.join("; ")}.`);
  return nodes;
}

export const formatNodes = (nodes: readonly AgentNode[]): string =>
  nodes.map(({ name, role, address, pool }) => `${name} ${role} ${address} ${pool}\n`).join("");

/** The folder of the cluster that PROSAAS_STACK names. @throws AppError if it is not a cluster of nodes */
export async function openClusterFolder(): Promise<ClusterFolder & { nodes: AgentNode[] }> {
  const folder = { state: stateFolder(process.env["PROSAAS_STACK"] || "dev") };
  const text = await readFile(nodesFile(folder), "utf8").catch(() => null);
  if (text === null)
    throw new AppError(
      "not_found",
      `There is no ${nodesFile(folder)}: name the cluster with PROSAAS_STACK, and begin with ` +
        "task certs -- make --nodes FILE.",
    );
  return { ...folder, nodes: parseNodes(text) };
}

/** Makes the folder of the cluster that PROSAAS_STACK names, or gives it other nodes. */
export async function setNodes(file: string): Promise<void> {
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) throw new AppError("not_found", `${file} cannot be read.`);
  parseNodes(text);
  const folder = { state: stateFolder(process.env["PROSAAS_STACK"] || "dev") };
  await mkdir(folder.state, { recursive: true, mode: 0o700 });
  if (await Bun.file(join(folder.state, "port-offset")).exists())
    throw new AppError("conflict", `${folder.state} is a stack of this machine: choose another PROSAAS_STACK.`);
  await copyFile(file, nodesFile(folder));
}

/** The nodes of these names; all without any. @throws AppError that lists the names if one is unknown */
export function chooseNodes(nodes: readonly AgentNode[], names: readonly string[]): readonly AgentNode[] {
  const unknown = names.filter((name) => !nodes.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new AppError(
      "not_found",
      `The cluster has no node ${unknown.join(", ")}; it has ${nodes.map(({ name }) => name).join(", ")}.`,
    );
  return names.length === 0 ? nodes : nodes.filter(({ name }) => names.includes(name));
}
