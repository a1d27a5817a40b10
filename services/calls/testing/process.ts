import { until } from "../../../lib/testing/until.ts";
import { programCommand, programEnv } from "../../../lib/testing/program.ts";

/** A service that runs in a process of its own, as in production. */
export type ServiceProcess = {
  port: number;
  pid: number;
  url: string;
  /** Where /ready and /metrics are. */
  opsUrl: string;
  /** Resolves with the exit code. */
  exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Resident memory, bytes. */
  memory(): Promise<number>;
};

export type ProcessOptions = {
  /** Path of its main file from the root of the checkout. */
  main: string;
  env: Record<string, string>;
  /** A command that runs it: for example `taskset -c 1`. */
  under?: readonly string[];
  /** Run before it: for example to set its clock wrong. */
  preload?: string | undefined;
};

const root = new URL("../../../", import.meta.url).pathname;

/** Starts a service and waits until it says on which port it listens. */
export async function startProcess({ main, env, preload, under = [] }: ProcessOptions): Promise<ServiceProcess> {
  const command = [...under, ...programCommand(main, preload === undefined ? [] : ["--preload", preload])];
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...programEnv(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let port: number | undefined;
  let opsPort: number | undefined;
  const reading = (async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      if (port !== undefined) continue;
      text += decoder.decode(chunk, { stream: true });
      const listening = text.split("\n").find((line) => line.includes('"msg":"listening"'));
      if (listening !== undefined)
        ({ port, ops_port: opsPort } = JSON.parse(listening) as { port: number; ops_port: number });
    }
  })();
  reading.catch(() => {});
  await until(() => port !== undefined || child.exitCode !== null, { what: `${main} to listen` });
  if (port === undefined) throw new Error(`${main} exited ${child.exitCode}`);
  return {
    port,
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    opsUrl: `http://127.0.0.1:${opsPort}`,
    exited: child.exited,
    kill: (signal) => child.kill(signal),
    memory: async () =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(await Bun.file(`/proc/${child.pid}/status`).text())?.[1] ?? 0) * 1024,
  };
}
