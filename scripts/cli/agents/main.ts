import { resolve } from "node:path";
import { resultCommand, taskVariable } from "../arguments.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import { awaitLeader } from "./connect.ts";
import { chooseNodes, openClusterFolder } from "./nodes.ts";
import type { AgentNode } from "./nodes.ts";
import { install, pack } from "./ship.ts";

/** A server that was restarted takes part again within seconds; elections included. */
const BACK_WITHIN_MS = 90_000;

const command = resultCommand(
  "install:agents",
  `Install Consul, Nomad and what tasks need on the nodes of a cluster, or bring them up to date.

Goes over the nodes in nodes.conf of the cluster that PROSAAS_STACK names, or those given, by SSH as root:
Debian's packages, the programs of this machine, /etc/prosaas and systemd units, which restart an agent
after a failure and start it at boot. An agent whose files are unchanged is not restarted, and tasks go on
while one is. In a cluster that has leaders, each server is back before the next one is touched.`,
  "-- [NODE…] [OPTIONS]",
)
  .argument("[nodes...]", "names in nodes.conf; all by default")
  .option("--to <folder>", "write a tarball for each node instead: unpack it there, and run install.sh ROLE as root")
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--dry-run", "print what would be installed and change nothing", false)
  .parse();
const [names] = command.processedArgs;
const { to, from, dryRun, json } = command.opts();

const cluster = await openClusterFolder();
const nodes = chooseNodes(cluster.nodes, names);
const servers = cluster.nodes.filter(({ role }) => role === "server");
const say = (line: string) => void process.stderr.write(`${line}\n`);

/** True if both products have leaders now. */
async function hasLeaders(): Promise<boolean> {
  const one = { withinMs: 0 };
  const leaders = ["Consul", "Nomad"] as const;
  return Promise.all(leaders.map((product) => awaitLeader(cluster, servers, { product, ...one }))).then(
    () => true,
    () => false,
  );
}

async function awaitBack(server: AgentNode): Promise<void> {
  for (const product of ["Consul", "Nomad"] as const)
    await awaitLeader(cluster, [server], { product, withinMs: BACK_WITHIN_MS });
}

if (to !== undefined) {
  const files: string[] = [];
  for (const node of nodes) {
    files.push(await pack(cluster, node, resolve(from, to)));
    say(`${node.name}: ${files.at(-1)}`);
  }
  if (json) console.log(JSON.stringify({ files }));
} else {
  const wait = !dryRun && (await hasLeaders());
  const done: { node: string; lines: string[] }[] = [];
  for (const node of nodes) {
    say(`${node.name} (${node.address})`);
    const lines = await install(cluster, node, dryRun).catch((error: unknown) => command.error(messageOf(error)));
    for (const line of lines) say(line);
    if (wait && node.role === "server") await awaitBack(node);
    done.push({ node: node.name, lines: lines.map((line) => line.trim()) });
  }
  if (json) console.log(JSON.stringify({ dry_run: dryRun, nodes: done }));
}
