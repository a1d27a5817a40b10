import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../lib/testing/free_port.ts";
import { parseJobFile } from "../../stack/job_file.ts";

export type Servers = {
  /** host:port of Consul, and a token under consul/policies/prometheus.hcl. */
  consul: { addr: string; token: string };
  /** URL of Nomad, for its variables. */
  nomad: string;
};

/**
 * "production" is the pace of nomad/monitoring. "fast" scrapes each second, and shortens what alerts wait for and look
 * back on: it shows whether an alert fires and clears, not how soon.
 */
export type Pace = "production" | "fast";

/** Rules that look back some minutes look back so many times five seconds. */
const fastSecondsPerMinute = 5;

const atPace = (text: string, pace: Pace): string =>
  pace === "production"
    ? text
    : text
        .replaceAll("interval: 15s", "interval: 1s")
        .replaceAll(/for: \d+[sm]/g, "for: 1s")
        .replaceAll(/\[(\d+)m\]/g, (_, minutes: string) => `[${Number(minutes) * fastSecondsPerMinute}s]`);

type Template = { DestPath: string; EmbeddedTmpl: string; LeftDelim: string | null; RightDelim: string | null };
type Task = { Name: string; Config: { command: string; args: string[] }; Env: Record<string, string> };

/** Both tasks of nomad/monitoring/prometheus.nomad.hcl, and consul-template in Nomad's stead. */
export async function startPrometheus({ consul, nomad }: Servers, pace: Pace = "fast") {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-prometheus-"));
  await mkdir(join(folder, "secrets"));
  const [http, probe] = await Promise.all([freePort(), freePort()]);
  const addresses = { NOMAD_ADDR_http: `127.0.0.1:${http}`, NOMAD_ADDR_probe: `127.0.0.1:${probe}` };
  const job = await parseJobFile("prometheus", {}, { agents_scheme: "http" });
  const tasks = job.TaskGroups.flatMap(({ Tasks }) => Tasks ?? []) as unknown as (Task & { Templates: Template[] })[];

  const children: Bun.Subprocess[] = [];
  const start = (name: string, command: string[], env: Record<string, string> = {}) => {
    const log = Bun.file(join(folder, `${name}.log`));
    const options = { env: { PATH: process.env["PATH"] ?? "", ...env }, stdout: log, stderr: log } as const;
    children.push(Bun.spawn(command, { stdin: "ignore", ...options }));
  };
  const stop = async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ exited }) => exited));
    await rm(folder, { recursive: true });
  };

  const template = tasks[0]!.Templates.map(({ DestPath, EmbeddedTmpl, LeftDelim, RightDelim }) => ({
    contents: atPace(EmbeddedTmpl, pace),
    destination: join(folder, DestPath),
    left_delimiter: LeftDelim ?? "{{",
    right_delimiter: RightDelim ?? "}}",
  }));
  const config = join(folder, "consul-template.json");
  await Bun.write(
    config,
    JSON.stringify({ consul: { address: consul.addr, token: consul.token }, nomad: { address: nomad }, template }),
  );
  start("consul-template", ["consul-template", `-config=${config}`], { ...tasks[0]!.Env, ...addresses });

  const path = (argument: string) =>
    argument
      .replaceAll(/\$\{(\w+)\}/g, (_, name: keyof typeof addresses) => addresses[name])
      .replaceAll(/\/(secrets|alloc\/data)\//g, `${folder}/$1/`);
  return {
    /** Starts the tasks once their files are rendered. */
    rendered: () => Promise.all(template.map(({ destination }) => Bun.file(destination).exists())),
    startTasks: () => {
      for (const { Name, Config } of tasks) start(Name, [Config.command, ...Config.args.map(path)]);
    },
    /** `data` of a request to Prometheus' API. */
    get: async <T>(query: string): Promise<T> => {
      const response = await fetch(`http://${addresses.NOMAD_ADDR_http}/api/v1/${query}`);
      return ((await response.json()) as { data: T }).data;
    },
    log: (name: string) => Bun.file(join(folder, `${name}.log`)).text(),
    stop,
  };
}

export type PrometheusUnderTest = Awaited<ReturnType<typeof startPrometheus>>;
