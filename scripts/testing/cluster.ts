import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

export type Output = { code: number; stdout: string; stderr: string };

/** Parses the result line of a command with --json. */
export function resultOf({ code, stdout, stderr }: Output): unknown {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`exited ${code} without a result: ${stderr}`);
  return JSON.parse(line);
}

/** A stack with its own name, ports and state, beside any other stack. */
export type Cluster = {
  readonly state: string;
  readonly env: Record<string, string>;
  /** Runs a program with the stack's addresses in its environment. */
  run(command: string[], options?: { echo?: boolean }): Promise<Output>;
  up(): Promise<Output>;
  /** Stops everything and deletes the data and the folder. */
  remove(): Promise<Output>;
};

/**
 * Offsets whose ports (scripts/lib/stack.sh), also the dynamic ones, are apart from those of stack dev and of each
 * other, and below those of lib/testing/free_port.ts.
 */
const offsets = [1_050, 2_100, 12_600];

/** Finds a free port offset in random order, so that two simultaneous runs choose different ones. */
async function freeOffset(): Promise<number> {
  const taken = (port: number) =>
    new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(true));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(false)));
    });
  for (const offset of offsets.toSorted(() => Math.random() - 0.5)) {
    const ports = [8443, 8500, 4646, 15_432, 16_379, 17_070].map((port) => port + offset);
    if (!(await Promise.all(ports.map(taken))).includes(true)) return offset;
  }
  throw new Error(`the ports of a stack are taken at each of the offsets ${offsets.join(", ")}`);
}

export async function createCluster(name: string): Promise<Cluster> {
  const state = await mkdtemp(join(tmpdir(), "prosaas-e2e-"));
  const offset = await freeOffset();
  const env = {
    PROSAAS_STATE_DIR: state,
    PROSAAS_PORT_OFFSET: String(offset),
    PROSAAS_STACK: name,
    NOMAD_ADDR: `http://127.0.0.1:${4646 + offset}`,
    CONSUL_HTTP_ADDR: `127.0.0.1:${8500 + offset}`,
  };
  const options = { cwd: root, stdin: "ignore" } as const;
  const running = new Set<Bun.Subprocess>();
  const run = async (command: string[], { echo = false } = {}): Promise<Output> => {
    const child = Bun.spawn(command, {
      ...options,
      env: { ...process.env, ...env },
      stdout: "pipe",
      stderr: echo ? "inherit" : "pipe",
    });
    running.add(child);
    void child.exited.then(() => running.delete(child));
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      echo ? "" : new Response(child.stderr as ReadableStream).text(),
      child.exited,
    ]);
    return { code, stdout, stderr };
  };
  const down = ["./scripts/down", "--stack", name, "--purge", "--yes"];
  const remove = async () => {
    const output = await run(down);
    await rm(state, { recursive: true, force: true });
    return output;
  };
  // An interrupted run removes the stack too. `down` outlives this process, so it must not write into a pipe to it.
  const interrupt = async () => {
    for (const child of running) child.kill("SIGTERM");
    const quiet = { ...options, env: { ...process.env, ...env }, stdout: "ignore", stderr: "ignore" } as const;
    await Bun.spawn(down, quiet).exited;
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void interrupt());
  const up = async () => {
    const output = await run(["./scripts/up", "--stack", name], { echo: true });
    // For this process and its children, as readStack does.
    for (const [key, file] of [
      ["NOMAD_TOKEN", "nomad-management"],
      ["CONSUL_HTTP_TOKEN", "consul-management"],
    ] as const) {
      if (output.code === 0) process.env[key] = (await Bun.file(join(state, "access", file)).text()).trim();
    }
    return output;
  };
  return { state, env, run, up, remove };
}
