import { openSync, readFileSync, closeSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { programEnv } from "../../../lib/testing/program.ts";

/** Kernel clock ticks a second, in which /proc counts CPU time: USER_HZ, 100 on every Linux that Bun runs on. */
const ticksPerSecond = 100;

export type Usage = {
  /** CPU time of all threads so far, ms. */
  cpuMs: number;
  rssMb: number;
};

/** A process of the rig. It logs to a file, because reading a pipe would cost the measuring process time. */
export type Child = {
  readonly pid: number;
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  usage(): Usage;
  log(): string;
};

export type ChildOptions = {
  command: string[];
  env?: Record<string, string>;
  logFile: string;
  ipc?: (message: unknown) => void;
};

/** Children that an interrupted script kills. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Makes SIGINT and SIGTERM exit the script, which kills its children. */
export function endOnSignals(): void {
  process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143));
}

export const root = join(import.meta.dir, "../../..");

export function startChild({
  command,
  env = {},
  logFile,
  ipc,
}: ChildOptions): Child & { send(message: unknown): void } {
  // Appends, so that a restarted process continues the same log.
  const log = openSync(logFile, "a");
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...programEnv(), ...env },
    stdin: "ignore",
    stdout: log,
    stderr: log,
    ...(ipc ? { ipc: (message: unknown) => ipc(message), serialization: "json" as const } : {}),
  });
  closeSync(log);
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return {
    pid: child.pid,
    exited: child.exited,
    kill: (signal) => child.kill(signal),
    usage: () => usageOf(child.pid),
    log: () => readFileSync(logFile, "utf8"),
    send: (message) => child.send(message),
  };
}

/** The command line of `bun run`. */
export const bunRun = (file: string, ...args: string[]): string[] => [
  process.execPath,
  "run",
  join(root, file),
  ...args,
];

/** The ports in the service's first "listening" log line after `from` bytes. */
export async function listeningPorts(child: Child, from = 0): Promise<{ port: number; opsPort: number }> {
  let ended: number | undefined;
  void child.exited.then((code) => (ended = code));
  const ports = await until(
    () => {
      const found = /"port":(\d+),"ops_port":(\d+)[^\n]*"msg":"listening"/.exec(child.log().slice(from));
      return found ?? (ended === undefined ? undefined : "ended");
    },
    { deadlineMs: 60_000, what: "a service to listen", everyMs: 10 },
  );
  if (ports === "ended") throw new Error(`a service ended with ${ended}:\n${child.log().slice(-2000)}`);
  return { port: Number(ports[1]), opsPort: Number(ports[2]) };
}

/** The port in the service's "listening" log line. */
export const listeningPort = async (child: Child, from = 0): Promise<number> =>
  (await listeningPorts(child, from)).port;

function usageOf(pid: number): Usage {
  // Fields 14 and 15, utime and stime; the name in field 2 may hold blanks.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const cpuMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMs, rssMb: Number(rss) / 1024 };
}
