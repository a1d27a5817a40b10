import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { certificateOf } from "../certs/certificates.ts";
import { root } from "../../stack/environment.ts";
import { gossipFile, nodeFile } from "./configuration.ts";
import type { AgentNode, ClusterFolder } from "./nodes.ts";
import { unitName, unitText } from "./unit.ts";
import type { AgentKind } from "./unit.ts";

/*
 * All files of a node but the programs: /etc/prosaas/{consul,nomad,tls}, scripts in /opt/prosaas and the units. An
 * agent reads every file of its folder in the order of their names; an operator may add some.
 */

/** A file by its path on the node. */
export type NodeFile = { path: string; content: string; mode: "0600" | "0644" | "0755" };

export const programsFolder = "/opt/prosaas/bin";
const data = "/var/lib/prosaas";
const prefix = "prosaas";

export const kindsOf = ({ role }: AgentNode): AgentKind[] => ["consul", `nomad-${role}`];

/** The files that are the same on every node of a role. */
const sharedFiles: Readonly<Record<AgentNode["role"], readonly string[]>> = {
  server: [
    "consul/agent/agent.hcl",
    "consul/agent/server.hcl",
    "consul/agent/tls.hcl",
    "nomad/agent/server.hcl",
    "nomad/agent/tls.hcl",
  ],
  client: ["consul/agent/agent.hcl", "consul/agent/tls.hcl", "nomad/agent/client.hcl", "nomad/agent/tls.hcl"],
};

/** A path of the checkout as a path of a node: consul/agent/tls.hcl is /etc/prosaas/consul/tls.hcl. */
const installed = (file: string) => `/etc/prosaas/${file.replace("/agent/", "/")}`;

const scripts = { restoreMounts: "restore-mounts.sh", weighTasks: "weigh-tasks.sh" };
const scriptsOf = ({ role }: AgentNode): string[] => (role === "client" ? Object.values(scripts) : []);

export async function nodeFiles(
  folder: ClusterFolder,
  nodes: readonly AgentNode[],
  node: AgentNode,
): Promise<NodeFile[]> {
  const configuration = { folder, nodes, node, dataOf: (agent: string) => `${data}/${agent}` };
  const tls = certificateOf(folder, node.name);
  const read = (file: string) => readFile(file, "utf8");
  const files: Promise<NodeFile>[] = [
    ...sharedFiles[node.role].map(async (file) => ({
      path: installed(file),
      content: await read(join(root, file)),
      mode: "0644" as const,
    })),
    ...(["consul", "nomad"] as const).flatMap((agent) => [
      secret(`/etc/prosaas/${agent}/node.hcl`, nodeFile(configuration, agent)),
      secret(`/etc/prosaas/${agent}/gossip.hcl`, gossipFile(configuration, agent)),
    ]),
    secret("/etc/prosaas/tls/ca.crt", read(tls.ca)),
    secret("/etc/prosaas/tls/agent.crt", read(tls.certificate)),
    secret("/etc/prosaas/tls/agent.key", read(tls.key)),
    ...scriptsOf(node).map(async (name) => ({
      path: `${programsFolder}/${name}`,
      content: await read(join(import.meta.dir, name)),
      mode: "0755" as const,
    })),
    ...kindsOf(node).map(async (kind) => ({
      path: `/etc/systemd/system/${unitName(prefix, kind)}`,
      content: unitOf(kind),
      mode: "0644" as const,
    })),
  ];
  return (await Promise.all(files)).filter(({ content }) => content !== "");
}

const secret = async (path: string, content: Promise<string>): Promise<NodeFile> => ({
  path,
  content: await content,
  mode: "0600",
});

export function unitOf(kind: AgentKind): string {
  const command =
    kind === "consul"
      ? [`${programsFolder}/consul`, "agent", "-config-dir=/etc/prosaas/consul"]
      : [`${programsFolder}/nomad`, "agent", "-config=/etc/prosaas/nomad"];
  if (kind !== "nomad-client") return unitText({ kind, prefix, command });
  return unitText({
    kind,
    prefix,
    command,
    scripts: {
      restoreMounts: [`${programsFolder}/${scripts.restoreMounts}`, `${data}/nomad`],
      weighTasks: [`${programsFolder}/${scripts.weighTasks}`],
    },
  });
}

/** Programs of a node by their names in {@link programsFolder}. Tasks run bun. */
export const programsOf = ({ role }: AgentNode): string[] =>
  role === "client" ? ["consul", "nomad", "bun"] : ["consul", "nomad"];
