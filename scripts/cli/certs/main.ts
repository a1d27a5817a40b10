import { Argument } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { awaitLeader } from "../agents/connect.ts";
import { chooseNodes, openClusterFolder, setNodes } from "../agents/nodes.ts";
import type { AgentNode } from "../agents/nodes.ts";
import { resultCommand, taskVariable, wholeNumber } from "../arguments.ts";
import { table } from "../operator/table.ts";
import { ensureAuthority, readAuthorities, removeAuthority, startAuthority } from "./authority.ts";
import {
  daysLeft,
  isDue,
  issueCertificate,
  namesOfAgents,
  nodesWithoutTrust,
  readCertificates,
} from "./certificates.ts";
import type { Certificate } from "./certificates.ts";
import { consulKeyring, nomadKeyring, rotateGossipKey } from "./gossip.ts";
import { ensureSecrets } from "./secrets.ts";

const verbs = ["status", "make", "renew", "retire", "rotate-gossip"] as const;
const command = resultCommand(
  "certs",
  `Make and renew the certificates, gossip keys and tokens of a cluster's agents.

They are in the folder of the cluster that PROSAAS_STACK names, on this machine; keep a copy of it.
task install:agents brings them to the nodes, where agents read new ones without a restart.

  status          print when each certificate expires (the default)
  make            make what the nodes in nodes.conf lack; --nodes FILE sets the nodes, a line each:
                  NAME server|client ADDRESS [POOL]
  renew [NODE…]   sign new certificates for nodes whose own are in the last third of their life, or for
                  the given ones; former ones stay valid until they expire. --authority begins the
                  replacement of the authority: from the next install:agents on, agents trust both
  retire          remove the older of two authorities, once no node has a certificate of it
  rotate-gossip   replace the gossip keys of Consul and Nomad while all agents run

A new authority: renew --authority, install:agents, access, renew, install:agents, retire,
install:agents, access.`,
  "-- [VERB] [NODE…] [OPTIONS]",
)
  .addArgument(new Argument("[verb]", "what to do").choices(verbs).default("status" as const))
  .argument("[nodes...]", "with renew: names in nodes.conf")
  .option("--nodes <file>", "with make: the nodes of the cluster")
  .option("--authority", "with renew: make a new authority, and sign nothing", false)
  .option("--days <n>", "validity of certificates; of an authority ten times that", wholeNumber(1, 825), 365)
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--dry-run", "print what would change and change nothing", false)
  .parse();
const [verb, names] = command.processedArgs;
const { nodes: nodesFile, authority: newAuthority, days, from, dryRun, json } = command.opts();
if (names.length > 0 && verb !== "renew") command.error(`error: ${verb} takes no nodes`);
if (nodesFile !== undefined && verb !== "make") command.error("error: --nodes goes with make");
if (newAuthority && verb !== "renew") command.error("error: --authority goes with renew");

const say = (line: string) => void process.stderr.write(`${line}\n`);
/** Reports a change that was made, or that would be. */
const report = (verb: [infinitive: string, past: string], what: string) =>
  say(dryRun ? `would ${verb[0]} ${what}` : `${verb[1]} ${what}`);

if (nodesFile !== undefined && !dryRun) await setNodes(resolve(from, nodesFile));
const cluster = await openClusterFolder();
const { nodes } = cluster;
const read = () =>
  readCertificates(
    cluster,
    nodes.map(({ name }) => name),
  );

/** Signs certificates for these nodes by the newest authority. */
async function sign(chosen: readonly AgentNode[]): Promise<string[]> {
  if (chosen.length > 0 && !dryRun) {
    const authority = await ensureAuthority(cluster, days * 10);
    for (const node of chosen) await issueCertificate(cluster, node.name, namesOfAgents(node), { authority, days });
  }
  for (const { name } of chosen) report(["sign", "signed"], `a certificate for ${name}`);
  if (chosen.length === 0) say("every node has a certificate that is not due");
  return chosen.map(({ name }) => name);
}

const namesDiffer = ({ names: has }: Certificate, node: AgentNode) => !has.includes(`IP Address:${node.address}`);

const actions: Record<(typeof verbs)[number], () => Promise<object>> = {
  status: async () => ({}),
  make: async () => {
    if (!dryRun) await ensureSecrets(cluster, nodes);
    const existing = await read();
    const lacking = nodes.filter((node) => {
      const own = existing.find(({ name }) => name === node.name);
      return own === undefined || namesDiffer(own, node) || !own.hasKey;
    });
    return { signed: await sign(lacking) };
  },
  renew: async () => {
    const authorities = await readAuthorities(cluster);
    if (newAuthority) {
      if (!dryRun) await startAuthority(cluster, days * 10);
      report(["make", "made"], `authority ${(authorities.at(-1)?.number ?? 0) + 1}: task install:agents, task access`);
      return { authorities: (await readAuthorities(cluster)).map(({ number }) => number) };
    }
    const unaware = authorities.length > 1 ? await nodesWithoutTrust(cluster, nodes) : [];
    if (unaware.length > 0)
      throw new AppError(
        "conflict",
        `${unaware.map(({ name }) => name).join(", ")} would not trust a certificate of the new authority yet: ` +
          "task install:agents, then run this again.",
      );
    const existing = await read();
    const newest = authorities.at(-1)?.number;
    const due = ({ name }: AgentNode) => {
      const own = existing.find((one) => one.name === name);
      return own === undefined || isDue(own) || own.authority !== newest;
    };
    return { signed: await sign(names.length > 0 ? chooseNodes(nodes, names) : nodes.filter(due)) };
  },
  retire: async () => {
    const [older, newer] = await readAuthorities(cluster);
    if (newer === undefined) throw new AppError("conflict", "There is one authority: none is to be retired.");
    const users = (await read()).filter(
      ({ name, authority }) => authority === older!.number && name !== `authority-${older!.number}`,
    );
    if (users.length > 0)
      throw new AppError(
        "conflict",
        `Authority ${older!.number} signed the certificates of ${users.map(({ name }) => name).join(", ")}: ` +
          "task certs -- renew, then task install:agents.",
      );
    if (!dryRun) await removeAuthority(cluster, older!);
    report(["retire", "retired"], `authority ${older!.number}: task install:agents, task access`);
    return { retired: older!.number };
  },
  "rotate-gossip": async () => {
    const servers = nodes.filter(({ role }) => role === "server");
    const within = { withinMs: 0 };
    const consul = await awaitLeader(cluster, servers, { product: "Consul", ...within });
    const nomad = await awaitLeader(cluster, servers, { product: "Nomad", ...within });
    for (const [keyring, members] of [
      [consulKeyring(consul.agent), nodes.length],
      [nomadKeyring(nomad.agent), servers.length],
    ] as const) {
      if (!dryRun) await rotateGossipKey(cluster, keyring, members);
      report(["replace", "replaced"], `the gossip key of ${members} agents of ${keyring.product}`);
    }
    return { rotated: ["consul", "nomad"] };
  },
};

const done = await actions[verb]();
const certificates = await read();
if (json) {
  const list = certificates.map(({ name, authority, expires, spent }) => ({ name, authority, expires, spent }));
  console.log(JSON.stringify({ state: cluster.state, dry_run: dryRun, ...done, certificates: list }));
} else {
  console.log(
    table([
      ["certificate", "authority", "expires", "days", ""],
      ...certificates.map((one) => [
        one.name,
        `${one.authority ?? "not trusted"}`,
        one.expires.toISOString().slice(0, 10),
        `${daysLeft(one)}`,
        isDue(one) ? "renew it" : "",
      ]),
    ]),
  );
}
