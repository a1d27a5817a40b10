import { Argument, Option } from "@commander-js/extra-typings";
import { AppError } from "../../../lib/core/errors.ts";
import { commandLine, taskVariable, wholeNumber } from "../../cli/arguments.ts";
import { table } from "../../cli/operator/table.ts";
import { durabilities } from "./bucket.ts";
import { ensureCluster, exists, readCluster, removeCluster } from "./cluster.ts";
import { cutConsulOneWay, cutOneWay, heal } from "./faults.ts";
import type { Cut } from "./faults.ts";
import { clusterSize, nodeOf } from "./layout.ts";
import { restartNode, startCluster } from "./lifecycle.ts";
import { lockCluster } from "./lock.ts";
import { powerOff } from "./node.ts";
import { JobFailure } from "../../stack/wait.ts";
import { deployPlatform } from "./platform.ts";
import { requireMachine } from "./requirements.ts";
import { statusOf } from "./status.ts";
import { endWithParent, isChild, runAsChild } from "./supervise.ts";
import { rounded } from "../figures.ts";

const verbs = ["up", "down", "kill", "cut", "heal", "restart", "status"] as const;
const command = commandLine(
  "cluster",
  `Run a cluster of several nodes on this machine: Consul, Nomad and the platform.

Each node has network, mount and cgroup namespaces, an address and a disk of its own, and runs the
agent files and job files of production, with access control, TLS and gossip keys. Other commands act
on the cluster by its name: PROSAAS_STACK=lab ./scripts/task status

  up             make the cluster and deploy the platform; on a cluster that exists, start what does not run
  down           remove all of it, with its data
  kill NODE      cut the node's power
  cut A B        drop every packet between two nodes, silently; --one-way: from A to B only;
                 --consul: only packets of Consul's agents
  heal           end every cut
  restart NODE   start a node that is down from its disk; of one that runs, restart the agents
  status         show nodes, agents, leaders and cuts`,
  "[SERVERS=3] [CLIENTS=3] -- VERB [NODE…] [OPTIONS]",
)
  .addArgument(new Argument("<verb>", "what to do").choices(verbs))
  .argument("[nodes...]", "names such as client-2")
  .addOption(taskVariable("--servers <n>").argParser(wholeNumber(1, 9)).default(3))
  .addOption(taskVariable("--clients <n>").argParser(wholeNumber(1, 9)).default(3))
  .option("--name <name>", "of the cluster: 1 to 8 lower-case letters and digits", "lab")
  .option("--network <a.b.c>", "network of the nodes, of 198.18.0 to 198.19.255; the first free one by default")
  .option("--agents-only", "with up: deploy nothing", false)
  .addOption(
    new Option("--durability <name>", "of the shards' state, with up")
      .choices(durabilities)
      .default("required" as const),
  )
  .option("--one-way", "with cut: packets of B still reach A", false)
  .option("--consul", "with cut: packets of other services pass", false)
  .option("--json", "print one JSON object as the last line", false)
  .parse();
const [verb, names] = command.processedArgs;
const { name, network, servers, clients, agentsOnly, durability, oneWay, consul, json } = command.opts();

for (const [field, value] of Object.entries({ name, ...(network === undefined ? {} : { network }) })) {
  const parsed = clusterSize.shape[field as "name" | "network"].safeParse(value);
  if (!parsed.success) command.error(`error: --${field} ${parsed.error.issues[0]!.message}`);
}
const wantedNames = { kill: 1, restart: 1, cut: 2 }[verb as string] ?? 0;
if (names.length !== wantedNames)
  command.error(`error: ${verb} takes ${wantedNames === 0 ? "no node" : `${wantedNames} node(s)`}`);

/** The exit code of a child that refused before it made anything. */
const refused = 3;

const began = performance.now();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
const tookS = () => rounded((performance.now() - began) / 1000, 1);

async function up(): Promise<object> {
  const cluster = await ensureCluster({ name, servers, clients, network }).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    console.error(error.message);
    process.exit(refused);
  });
  await startCluster(cluster, say);
  if (!agentsOnly) await deployPlatform(cluster, durability, say);
  return { ...(await statusOf(cluster)), took_s: tookS() };
}

/** Removes what an interrupted or failed `up` made, but no cluster that was there before it. */
async function superviseUp(): Promise<never> {
  const existed = exists(name);
  const code = await runAsChild(process.argv.slice(2));
  if (code !== 0 && code !== refused && !existed) {
    say(`${code === 130 ? "interrupted" : "failed"}: removing the cluster`);
    await removeCluster(name);
  }
  process.exit(code === refused ? 1 : code);
}

const actions: Record<(typeof verbs)[number], () => Promise<object>> = {
  up,
  down: async () => {
    const removed = await removeCluster(name);
    say(removed ? `removed the cluster "${name}" and its data` : `there is no cluster "${name}"`);
    return { removed, took_s: tookS() };
  },
  kill: async () => {
    const cluster = await readCluster(name);
    const node = nodeOf(cluster.layout, names[0]!);
    await powerOff(cluster, node);
    say(`${node.name} is down`);
    return { killed: node.name };
  },
  cut: async () => {
    const { layout } = await readCluster(name);
    const [from, to] = names.map((one) => nodeOf(layout, one));
    if (from === to) command.error("error: cut takes two different nodes");
    const cutPackets = consul ? cutConsulOneWay : cutOneWay;
    await cutPackets(from!, to!);
    if (!oneWay) await cutPackets(to!, from!);
    const what = consul ? "packet of Consul" : "packet";
    say(`no ${what} of ${from!.name} reaches ${to!.name}${oneWay ? "" : ", and none the other way"}`);
    return { cut: names, one_way: oneWay, consul };
  },
  heal: async () => {
    const healed = await heal((await readCluster(name)).layout.nodes);
    say(healed.length === 0 ? "there was no cut" : `healed ${healed.map(describe).join(", ")}`);
    return { healed };
  },
  restart: async () => {
    const cluster = await readCluster(name);
    const node = nodeOf(cluster.layout, names[0]!);
    const done = await restartNode(cluster, node);
    say(`${node.name}: ${done}`);
    return { node: node.name, done, took_s: tookS() };
  },
  status: async () => statusOf(await readCluster(name)),
};

const describe = ({ from, to, only }: Cut) => `${from} → ${to}${only === undefined ? "" : ` (${only})`}`;

async function main(): Promise<void> {
  requireMachine();
  if (verb === "up" && isChild()) {
    endWithParent();
  } else if (verb !== "status") {
    const lock = await lockCluster(name);
    if (verb === "up") await superviseUp();
    process.once("exit", () => void lock.release());
  }
  const result = await actions[verb]();
  if (json) console.log(JSON.stringify(result));
  else if (verb === "status") printStatus(result as Awaited<ReturnType<typeof statusOf>>);
}

function printStatus(status: Awaited<ReturnType<typeof statusOf>>): void {
  const yes = (value: boolean) => (value ? "runs" : "-");
  console.log(
    table([
      ["node", "address", "pool", "consul", "nomad", "status", "allocations"],
      ...status.nodes.map((one) => [
        one.node,
        one.address,
        one.pool ?? "-",
        one.powered ? yes(one.consul) : "down",
        one.powered ? yes(one.nomad) : "down",
        one.nomad_status ?? "-",
        `${one.allocations ?? "-"}`,
      ]),
    ]),
  );
  for (const { node, unexpected_ports } of status.nodes)
    if (unexpected_ports.length > 0)
      console.log(`${node} listens on ${unexpected_ports.join(", ")}, which is not in the guide's table of ports.`);
  const cuts = status.cuts.map(describe).join(", ") || "none";
  console.log(
    `Leaders: Nomad ${status.nomad_leader ?? "none"}, Consul ${status.consul_leader ?? "none"}. Cuts: ${cuts}.`,
  );
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(error instanceof AppError || error instanceof JobFailure ? error.message : error);
  process.exit(1);
}
