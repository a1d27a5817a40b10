import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine } from "../../cli/arguments.ts";
import { ensureAuthority } from "../../cli/certs/authority.ts";
import { certificateOf, issueCertificate } from "../../cli/certs/certificates.ts";
import { root } from "../../stack/environment.ts";
import { blocksOf, sectionOf } from "../../testing/guide/markdown.ts";
import { ensureCluster, removeCluster } from "../cluster/cluster.ts";
import { lockCluster } from "../cluster/lock.ts";
import type { Cluster } from "../cluster/node.ts";
import { serveReleases } from "../cluster/releases.ts";
import { requireMachine } from "../cluster/requirements.ts";
import { rounded } from "../figures.ts";
import { bootBare, removeMountPoints, writeRemotePrograms } from "./machine.ts";

const name = "guide";
const section = "The first deployment";

const { keep, json } = commandLine(
  "verify:guide",
  `Follow "${section}" of nomad/README.md word for word, on bare nodes of this machine.

Makes a cluster of namespaces and runs every block of the section in one shell, as an operator would.
Only addresses are replaced: those of the nodes, of the edge and of the server of releases. ssh and scp
lead to the nodes, whose first process is systemd. Exits 1 at the first command that fails. Takes about
two minutes and 6 GB of memory.`,
)
  .option("--keep", "keep the cluster; task cluster -- down --name guide removes it", false)
  .option("--json", "print one JSON object as the last line", false)
  .parse()
  .opts();

const began = performance.now();
const seconds = () => rounded((performance.now() - began) / 1000, 1);
const say = (line: string) => void process.stderr.write(`${`${seconds()}`.padStart(6)} s  ${line}\n`);

/** The addresses in the guide, and those of the cluster. */
async function addresses(cluster: Cluster): Promise<ReadonlyMap<string, string>> {
  const { servers, clients } = cluster.layout;
  return new Map([
    ...servers.map(({ address }, index) => [`10.0.0.1${index + 1}`, address] as const),
    ...clients.map(({ address }, index) => [`10.0.0.2${index + 1}`, address] as const),
    ["https://releases.example.com", await serveReleases(cluster)],
    ["app.example.com", clients[1]!.address],
  ]);
}

/** One script of all blocks, which reports each before it runs. */
async function scriptOf(cluster: Cluster): Promise<string> {
  const markdown = await readFile(join(root, "nomad/README.md"), "utf8");
  const blocks = blocksOf(sectionOf(markdown, section)).filter(({ language }) => language === "sh");
  const replaced = await addresses(cluster);
  return [
    "set -euo pipefail",
    ...blocks.map(({ text }, index) => {
      const block = [...replaced].reduce((done, [from, to]) => done.replaceAll(from, to), text);
      const [first = ""] = block.split("\n");
      const title = `block ${index + 1} of ${blocks.length}: ${first}`.replaceAll("'", "'\\''");
      return `printf '\\n%s\\n' '${title}' >&2\n${block}`;
    }),
  ].join("\n");
}

/** Makes the files that the guide expects, `edge.crt` and `edge.key`. Returns that of their authority. */
async function writeEdgeCertificate(cluster: Cluster, folder: string): Promise<string> {
  const issuer = { state: join(folder, "issuer") };
  const names = cluster.layout.clients.map(({ address }) => `IP:${address}`);
  const authority = await ensureAuthority(issuer, 365);
  await issueCertificate(issuer, "edge", names, { authority, days: 365 });
  const { ca, certificate, key } = certificateOf(issuer, "edge");
  await copyFile(certificate, join(folder, "edge.crt"));
  await copyFile(key, join(folder, "edge.key"));
  return ca;
}

async function follow(cluster: Cluster, home: string): Promise<number> {
  for (const node of cluster.layout.nodes) await bootBare(cluster, node);
  say(`${cluster.layout.nodes.length} bare nodes in ${cluster.layout.cidr}`);
  const programs = await writeRemotePrograms(cluster, join(home, "bin"));
  const ca = await writeEdgeCertificate(cluster, join(home, "prosaas"));
  const script = await scriptOf(cluster);
  const { XDG_STATE_HOME: _state, PROSAAS_STATE_DIR: _folder, PROSAAS_STACK: _stack, ...rest } = process.env;
  const child = Bun.spawn(["bash", "-c", script], {
    cwd: root,
    env: {
      ...rest,
      // Without what the task that runs this has added.
      PATH: `${programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: home,
      PROSAAS_CA_FILE: ca,
      CURL_CA_BUNDLE: ca,
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] || join(process.env["HOME"] ?? "/root", ".cache"),
    },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  process.once("SIGINT", () => child.kill()).once("SIGTERM", () => child.kill());
  return child.exited;
}

requireMachine();
const lock = await lockCluster(name);
const home = await mkdtemp(join(tmpdir(), "prosaas-guide-"));
let code = 1;
try {
  code = await follow(await ensureCluster({ name, servers: 3, clients: 3 }), home);
} finally {
  if (!keep) {
    await removeCluster(name);
    await removeMountPoints();
    await rm(home, { recursive: true, force: true });
  } else say(`the operator's home is ${home}`);
  await lock.release();
}
say(code === 0 ? "the guide leads to a cluster that works" : `a command of the guide exited with ${code}`);
if (json) console.log(JSON.stringify({ followed: code === 0, took_s: seconds() }));
process.exit(code === 0 ? 0 : 1);
