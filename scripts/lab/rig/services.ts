import { join } from "node:path";
import { freePort } from "../../../lib/testing/free_port.ts";
import { until } from "../../../lib/testing/until.ts";
import { programCommand } from "../../../lib/testing/program.ts";
import type { OnStop } from "./cleanup.ts";
import { startChild } from "./child.ts";
import { Supervised } from "./supervised.ts";

/** A process of the rig, for code that watches it from outside. */
export type RigProcess = {
  name: string;
  /** Undefined while the process is stopped. */
  pid(): number | undefined;
  /** Base URL of a service's health, readiness and metrics endpoints. */
  opsUrl?: string;
};

export type Service = { supervised: Supervised; url: string; opsUrl: string };

/** Starts the service in `file` with `env`; resolves when it is ready. */
export type StartService = (
  file: string,
  name: string,
  env: Record<string, string>,
  preload?: string,
) => Promise<Service>;

type ServicesOptions = {
  folder: string;
  /** Environment of every service. */
  common: Record<string, string>;
  processes: RigProcess[];
  onStop: OnStop;
};

/** Services run as in production: as processes under a supervisor, with their logs in `folder`. */
export const createServiceStarter =
  ({ folder, common, processes, onStop }: ServicesOptions): StartService =>
  async (file, name, env, preload) => {
    const [port, opsPort] = await Promise.all([freePort(), freePort()]);
    const supervised = new Supervised(() =>
      startChild({
        command: programCommand(file, preload === undefined ? [] : ["--preload", preload]),
        env: { ...common, PORT: String(port), OPS_PORT: String(opsPort), ...env },
        logFile: join(folder, `${name}.log`),
      }),
    );
    onStop(() => supervised.stop());
    supervised.start();
    const opsUrl = `http://127.0.0.1:${opsPort}`;
    await until(async () => (await fetch(`${opsUrl}/ready`)).ok, { deadlineMs: 60_000, what: name });
    processes.push({ name, pid: () => supervised.pid, opsUrl });
    return { supervised, url: `http://127.0.0.1:${port}`, opsUrl };
  };
