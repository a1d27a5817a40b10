import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../stack/program.ts";
import { until } from "../../../lib/testing/until.ts";
import { hierarchies } from "./cgroups.ts";
import { tryHost } from "./host.ts";
import { namePrefix } from "./layout.ts";
import { findNetwork } from "./network.ts";
import type { ClusterStatus } from "./status.ts";

/*
 * One cluster goes through its life, so the tests run in the order they are written.
 */
const name = `t${crypto.randomUUID().slice(0, 6)}`;
let state: string;

type Ended = { code: number; result: Record<string, unknown>; stderr: string };

const start = (...args: string[]) =>
  Bun.spawn([process.execPath, "run", join(import.meta.dir, "main.ts"), ...args, "--name", name, "--json"], {
    env: { ...process.env, XDG_STATE_HOME: state, PROSAAS_STATE_DIR: undefined },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });

async function run(...args: string[]): Promise<Ended> {
  const child = start(...args);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const line = stdout.trim().split("\n").at(-1) ?? "";
  return { code, stderr, result: line.startsWith("{") ? JSON.parse(line) : {} };
}

const status = async () => (await run("status")).result as unknown as ClusterStatus;
const nodeIn = ({ nodes }: ClusterStatus, node: string) => nodes.find((one) => one.node === node)!;

/** Lists the parts of a cluster of this name that exist. */
async function leftovers(): Promise<string[]> {
  const { links, namespaces } = await findNetwork(name);
  const cgroups = (await hierarchies()).map((root) => join(root, namePrefix(name))).filter(existsSync);
  const folder = join(state, "prosaas", name);
  return [...links, ...namespaces, ...cgroups, ...(existsSync(folder) ? [folder] : [])];
}

/** True if a program on a node can connect to a port of another. */
const connects = async (from: string, address: string, port: number) => {
  const enter = ["nsenter", `--net=/run/netns/${namePrefix(name)}-${from}`, "timeout", "1"];
  return (await tryHost(...enter, "bash", "-c", `</dev/tcp/${address}/${port}`)) !== null;
};

const folder = (...path: string[]) => join(state, "prosaas", name, ...path);
const text = async (file: string) => (await readFile(file, "utf8").catch(() => "")).trim();

/** A job on client-1 whose task has a secret. */
const job = `
job "sleeper" {
  node_pool = "data"
  group "sleeper" {
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    task "sleeper" {
      driver = "exec"
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      config {
        command  = "/usr/bin/sleep"
        args     = ["infinity"]
        cap_drop = ["all"]
      }
      template {
        data        = "secret"
        destination = "secrets/rendered"
      }
    }
  }
}`;

async function runJob(): Promise<void> {
  const file = folder("sleeper.nomad.hcl");
  await writeFile(file, job);
  const env = {
    ...process.env,
    NOMAD_ADDR: `https://${nodeIn(await status(), "server-1").address}:4646`,
    NOMAD_CACERT: folder("tls/ca.crt"),
    NOMAD_TOKEN: await text(folder("access/nomad-management")),
  };
  expect(await runProgram(["nomad", "job", "run", "-detach", file], { cwd: "/", env })).toMatchObject({ code: 0 });
}

/** Waits until the job's task has its secret. Returns the kind of file system that it lies on. */
async function awaitSecret(): Promise<string | undefined> {
  let found: string[] = [];
  const rendered = async () => (found = await secretsOfTask()).includes("secret");
  await until(rendered, { what: "the secret of the task", deadlineMs: 60_000, everyMs: 300 });
  return found[0];
}

/** The file system that the secrets of the job's task lie on, and the secret. */
async function secretsOfTask(): Promise<string[]> {
  const init = await text(folder("nodes/client-1/init.pid"));
  const script = `cd "$1"/*/sleeper/secrets && stat -f -c %T . && cat rendered`;
  const enter = ["nsenter", "--target", init, "--mount", "sh", "-c", script, "sh"];
  return (await tryHost(...enter, folder("nodes/client-1/nomad/alloc")))?.split("\n") ?? [];
}

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "prosaas-cluster-"));
});

afterAll(async () => {
  await run("down");
  await rm(state, { recursive: true, force: true });
}, 60_000);

describe("task cluster", () => {
  test("starts the agents of every node", async () => {
    const { code, result, stderr } = await run("up", "--agents-only", "--servers", "1", "--clients", "2");
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const { nodes, nomad_leader, consul_leader } = result as unknown as ClusterStatus;
    expect([nomad_leader, consul_leader]).toEqual(["server-1", "server-1"]);
    expect(nodes.map(({ node, pool, nomad_status }) => [node, pool, nomad_status])).toEqual([
      ["server-1", null, null],
      ["client-1", "data", "ready"],
      ["client-2", "platform", "ready"],
    ]);
  });

  test("names what listens beside the guide's ports", async () => {
    const unexpected = async () => (await status()).nodes.map((one) => [one.node, one.unexpected_ports]);
    expect(await unexpected()).toEqual([
      ["server-1", []],
      ["client-1", []],
      ["client-2", []],
    ]);
    const { address } = nodeIn(await status(), "client-1");
    const serve = `Bun.listen({ hostname: "${address}", port: 9999, socket: { data() {} } })`;
    const enter = ["nsenter", `--net=/run/netns/${namePrefix(name)}-client-1`];
    const intruder = Bun.spawn([...enter, process.execPath, "-e", serve], { stdin: "ignore" });
    try {
      const named = async () => (await unexpected())[1]![1]!.includes("9999/tcp");
      await until(named, { what: "the port to be named" });
    } finally {
      intruder.kill("SIGKILL");
      await intruder.exited;
    }
  });

  test("refuses another size and keeps the cluster", async () => {
    const { code, stderr } = await run("up", "--agents-only", "--servers", "3", "--clients", "3");
    expect([code, stderr]).toEqual([1, expect.stringContaining("has 1 servers and 2 clients")]);
    expect(nodeIn(await status(), "client-2").powered).toBeTrue();
  });

  test("cuts one direction, then both, and heals", async () => {
    await run("cut", "client-2", "server-1", "--one-way");
    expect((await status()).cuts).toEqual([{ from: "client-2", to: "server-1" }]);
    await run("cut", "client-2", "server-1");
    const missed = async () => nodeIn(await status(), "client-2").nomad_status !== "ready";
    await until(missed, { what: "Nomad to miss the client", deadlineMs: 60_000, everyMs: 300 });
    expect((await run("heal")).result["healed"]).toHaveLength(2);
    const back = async () => nodeIn(await status(), "client-2").nomad_status === "ready";
    await until(back, { what: "the client to be back", deadlineMs: 60_000, everyMs: 300 });
  });

  test("cuts the packets of Consul alone", async () => {
    await run("cut", "client-2", "server-1", "--consul");
    const cut = { from: "server-1", to: "client-2", only: "consul" } as const;
    const now = await status();
    expect(now.cuts).toEqual([cut, { ...cut, from: "client-2", to: "server-1" }]);
    const { address } = nodeIn(now, "server-1");
    expect([await connects("client-2", address, 4647), await connects("client-2", address, 8300)]).toEqual([
      true,
      false,
    ]);
    expect((await run("heal")).result["healed"]).toHaveLength(2);
    expect(await connects("client-2", address, 8300)).toBeTrue();
  });

  test("powers a node off and on", async () => {
    await runJob();
    expect(await awaitSecret()).toBe("tmpfs");
    expect(await run("kill", "client-1")).toMatchObject({ code: 0, result: { killed: "client-1" } });
    expect(nodeIn(await status(), "client-1")).toMatchObject({ powered: false, consul: false, nomad: false });
    expect((await run("restart", "client-1")).result).toMatchObject({ done: "powered on" });
    expect(nodeIn(await status(), "client-1")).toMatchObject({ powered: true, consul: true, nomad: true });
    expect(await awaitSecret()).toBe("tmpfs");
    expect((await run("restart", "client-1")).result).toMatchObject({ done: "agents restarted" });
  });

  test("names the nodes when one is unknown", async () => {
    const { code, stderr } = await run("kill", "client-9");
    expect([code, stderr]).toEqual([1, expect.stringContaining("it has server-1, client-1, client-2")]);
  });

  test("removes everything, and says so once", async () => {
    expect((await run("down")).result).toMatchObject({ removed: true });
    expect(await leftovers()).toEqual([]);
    expect((await run("down")).result).toMatchObject({ removed: false });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("removes everything after %s", async (signal) => {
    const child = start("up", "--agents-only", "--servers", "1", "--clients", "1");
    await until(async () => (await findNetwork(name)).namespaces.length > 0, { what: "a node" });
    child.kill(signal);
    expect(await child.exited).toBe(130);
    expect(await leftovers()).toEqual([]);
  });
});
