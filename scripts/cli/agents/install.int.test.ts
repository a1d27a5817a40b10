import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { chooseNetwork, networksInUse } from "../../lab/cluster/addresses.ts";
import { removeCluster } from "../../lab/cluster/cluster.ts";
import { layoutOf } from "../../lab/cluster/layout.ts";
import { createNetwork } from "../../lab/cluster/network.ts";
import { powerOff } from "../../lab/cluster/node.ts";
import type { ClusterNode } from "../../lab/cluster/layout.ts";
import type { Cluster } from "../../lab/cluster/node.ts";
import {
  bootBare,
  onBare,
  onMachine,
  removeMountPoints,
  tryOnBare,
  writeRemotePrograms,
} from "../../lab/guide/machine.ts";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { until } from "../../../lib/testing/until.ts";
import { consulKeyring } from "../certs/gossip.ts";
import { readSecret } from "../certs/secrets.ts";
import { consulOf, nomadOf } from "./connect.ts";
import { formatNodes } from "./nodes.ts";

/*
 * A bare server and a bare client, whose first process is systemd, become a cluster: the tests run in the order they
 * are written. A program stands in for ssh.
 */
type Node = () => ClusterNode;
let home: string;
let cluster: Cluster;
/** The operator's folder of the cluster. */
let folder: { state: string };
let env: Record<string, string | undefined>;

/** A third node takes part in no cluster: it runs a stack of scripts/up. */
const nodes = () => cluster.layout.nodes.slice(0, 2);
const [server, client, single] = [0, 1, 2].map((index) => () => cluster.layout.nodes[index]!) as [Node, Node, Node];

async function task(script: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runProgram(
    ["bun", "run", join(root, "scripts/cli", script), ...args, "--json"],
    { cwd: root, env },
  );
  if (code !== 0) throw new Error(`${script} ${args.join(" ")} exited with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Record<string, unknown>;
}
const install = async (...args: string[]) =>
  (await task("agents/main.ts", ...args))["nodes"] as { node: string; lines: string[] }[];

/** The processes of Consul and Nomad, as systemd of the node counts them. */
async function pidsOf(node: ClusterNode): Promise<string[]> {
  const units = ["prosaas-consul", `prosaas-nomad-${node.role}`];
  const show = ["systemctl", "show", "--property=MainPID", "--value", ...units];
  return (await tryOnBare(cluster, node, ...show))?.split("\n").filter(Boolean) ?? [];
}

/** Serial number of the certificate that an agent presents. */
const presented = (host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });

beforeAll(async () => {
  if (lacksSystemd) return;
  home = await mkdtemp(join(tmpdir(), "prosaas-install-"));
  const name = `i${crypto.randomUUID().slice(0, 6)}`;
  const size = { name, network: chooseNetwork(await networksInUse()), servers: 1, clients: 2 };
  cluster = { layout: layoutOf(size), state: join(home, "lab") };
  folder = { state: join(home, "operator") };
  await createNetwork(cluster.layout);
  for (const node of cluster.layout.nodes) await bootBare(cluster, node);
  await writeFile(join(cluster.state, "cluster.json"), JSON.stringify(size));
  await writeFile(join(home, "nodes.conf"), formatNodes(nodes()));
  const programs = await writeRemotePrograms(cluster, join(home, "bin"));
  const { NOMAD_ADDR: _nomad, CONSUL_HTTP_ADDR: _consul, ...rest } = process.env;
  env = {
    ...rest,
    PATH: `${programs}:${process.env["PATH"]}`,
    PROSAAS_STACK: "production",
    PROSAAS_STATE_DIR: folder.state,
  };
});

afterAll(async () => {
  if (lacksSystemd) return;
  await removeCluster(cluster.layout.name);
  await removeMountPoints();
  await rm(home, { recursive: true, force: true });
}, 60_000);

/** The nodes' first process; Debian's package has it where another one boots the machine, too. */
const lacksSystemd = !existsSync("/lib/systemd/systemd");

describe.skipIf(lacksSystemd)("task install:agents", () => {
  test("makes bare nodes a cluster with access control", async () => {
    await task("certs/main.ts", "make", "--nodes", join(home, "nodes.conf"));
    const planned = await install("--dry-run");
    expect(planned[0]!.lines.at(-1)).toMatch(/files differ; nothing was changed/);
    expect(await pidsOf(server())).toEqual(["0", "0"]);

    await install();
    await task("agents/access_main.ts", "--url", "https://app.example.com");
    const nomad = await nomadOf(folder, server());
    const ready = async () => {
      const found = await nomad<{ Name: string; Status: string; NodePool: string }[]>("GET", "/v1/nodes").catch(
        () => [],
      );
      return found.some(({ Name, Status }) => Name === "client-1" && Status === "ready");
    };
    await until(ready, { what: "the client", deadlineMs: 60_000, everyMs: 200 });
    const consul = await consulOf(folder, server());
    const registered = async () =>
      (await consul<{ Node: string }[]>("GET", "/v1/catalog/nodes"))
        .map(({ Node }) => Node)
        .toSorted()
        .join();
    await until(async () => (await registered()) === "client-1,server-1", {
      what: "both nodes in Consul",
      deadlineMs: 60_000,
    });
    await expect(fetchWithoutToken()).resolves.toBe(403);
    const { nomad_addr: address } = JSON.parse(await readFile(join(folder.state, "stack.json"), "utf8"));
    expect(address).toBe(`https://${server().address}:4646`);
  }, 120_000);

  const fetchWithoutToken = async () => {
    const ca = await readFile(join(folder.state, "tls/ca.crt"), "utf8");
    return (await fetch(`https://${server().address}:4646/v1/nodes`, { tls: { ca } })).status;
  };

  test("writes nothing the second time", async () => {
    const lines = (await install()).map(({ lines: [first] }) => first);
    expect(lines).toEqual(["0 files written", "0 files written"]);
  });

  test("lets agents read renewed certificates while they run", async () => {
    const ports = [4646, 8501];
    const before = await Promise.all(ports.map((port) => presented(server().address, port)));
    const pids = await pidsOf(server());
    await task("certs/main.ts", "renew", "server-1");
    const [only] = await install("server-1");
    expect(only!.lines).toEqual([
      "2 files written",
      "reloaded the certificates of prosaas-consul",
      "reloaded the certificates of prosaas-nomad-server",
    ]);
    for (const [index, port] of ports.entries()) {
      const changed = async () => (await presented(server().address, port)) !== before[index];
      await until(changed, { what: `a new certificate at port ${port}`, deadlineMs: 20_000, everyMs: 100 });
    }
    expect(await pidsOf(server())).toEqual(pids);
  }, 60_000);

  test("keeps the cluster together while gossip keys rotate", async () => {
    const before = await readSecret(folder, "consul-gossip");
    await task("certs/main.ts", "rotate-gossip");
    const key = await readSecret(folder, "consul-gossip");
    expect(key).not.toBe(before);
    const consul = await consulOf(folder, server());
    expect(await consulKeyring(consul).read()).toEqual({ members: 2, keys: { [key]: 2 } });
    await install();
    expect(await readFile(onMachine(cluster, client(), "/etc/prosaas/consul/gossip.hcl"), "utf8")).toContain(key);
  }, 60_000);
});

describe.skipIf(lacksSystemd)("the units", () => {
  const others = async (before: readonly string[]) => {
    const now = await pidsOf(client());
    return now.length === 2 && now.every((pid, index) => pid !== "0" && pid !== before[index]);
  };

  test("start agents again that were killed", async () => {
    const before = await pidsOf(client());
    await onBare(cluster, client(), "kill", "-9", ...before);
    await until(() => others(before), { what: "other agents", deadlineMs: 20_000, everyMs: 100 });
  }, 60_000);

  test("start agents at boot", async () => {
    await powerOff(cluster, client());
    expect(await pidsOf(client())).toEqual([]);
    await bootBare(cluster, client());
    await until(() => others(["0", "0"]), { what: "the agents", deadlineMs: 20_000, everyMs: 100 });
  }, 60_000);
});

describe.skipIf(lacksSystemd)("scripts/up where systemd runs", () => {
  const agents = ["consul", "nomad-server", "releases", "nomad-client"];
  const active = async () =>
    (await tryOnBare(cluster, single(), "systemctl", "is-active", ...agents.map((one) => `prosaas-dev-${one}`))) ?? "";

  /** Runs shell code with the functions of scripts/lib. Returns what it printed. */
  const shell = (code: string) => {
    const parts = "say stack access machine packages tools bun leftovers chroot agents";
    const head = `cd ${root}; ROOT=$PWD; for part in ${parts}; do source scripts/lib/$part.sh; done; stack_select dev`;
    const variables = [`PATH=${process.env["PATH"]}`, `PROSAAS_STATE_DIR=${join(home, "stack")}`];
    return onBare(cluster, single(), "env", ...variables, "bash", "-euc", `${head}; ${code} 2>&1`);
  };
  const ensure = "state_folder_ensure; stack_export; agents_ensure";

  test("has it supervise the agents", async () => {
    expect(await shell(ensure)).toContain("started: consul nomad-server releases nomad-client");
    expect(await active()).toBe("active\n".repeat(4));
    expect(await shell(ensure)).toContain("all of them run already");
    await onBare(cluster, single(), "systemctl", "kill", "--signal=KILL", "prosaas-dev-consul");
    const restarted = async () =>
      (await onBare(cluster, single(), "systemctl", "show", "--property=NRestarts", "prosaas-dev-consul")).trim() ===
      "NRestarts=1";
    await until(restarted, { what: "Consul's restart", deadlineMs: 20_000, everyMs: 100 });
    await until(async () => (await active()) === "active\n".repeat(4), { what: "all agents", deadlineMs: 20_000 });
  }, 120_000);

  test("leaves no unit behind the agents it stops", async () => {
    // As `down` does: Nomad waits for Consul when it stops.
    await shell('for ((i = ${#AGENTS[@]} - 1; i >= 0; i--)); do agent_stop "${AGENTS[i]}"; done');
    // systemctl fails where it finds none.
    const list = ["systemctl", "list-unit-files", "--no-legend", "prosaas-*"];
    expect(await tryOnBare(cluster, single(), ...list)).toBeNull();
  }, 60_000);
});
