import { join } from "node:path";
import { root } from "../../rig/child.ts";
import { jobFileOf } from "../../../stack/job_file.ts";

/** The job whose memory limit and CPU share apply to each kind of process of the rig. */
const jobs = {
  api: "api",
  calls: "calls",
  agent: "call-agent",
  shard: "wa-shards",
  worker: "workers",
  nginx: "nginx",
  redis: "redis",
  postgres: "postgres",
  pgbouncer: "pgbouncer",
  simulator: "simulator",
} as const;

export type Budgets = ReadonlyMap<string, number>;

/** Memory limit of each kind of process in MB: memory_max of its job file, at which the kernel kills a task. */
export async function memoryBudgets(): Promise<Budgets> {
  const entries = Object.entries(jobs).map(
    async ([kind, job]) => [kind, memoryMaxOf(await readJob(job), job)] as const,
  );
  return new Map(await Promise.all(entries));
}

/** Share of a process that no job runs: the Consul agent of the host. */
const hostShare = 100;
/** The other tenant's client and the simulator (WhatsApp, the carrier) run elsewhere: they never wait for a CPU. */
const outsideShare = 1_000;
/** Attackers run elsewhere, too: they get what the platform leaves. The least that the kernel accepts. */
const attackersShare = 2;

/** CPU share of each process of the rig, from its job file. */
export async function cpuShares(names: readonly string[]): Promise<Record<string, number>> {
  const entries = names.map(async (name): Promise<[string, number]> => {
    const job = (jobs as Record<string, string>)[kindOf(name)];
    return [name, job === undefined ? hostShare : cpuOf(await readJob(job), job, name.split("-").at(-1))];
  });
  return {
    ...Object.fromEntries(await Promise.all(entries)),
    tenant: outsideShare,
    simulator: outsideShare,
    attackers: attackersShare,
  };
}

/** The share of the job's last task, in the group `group` if it has several. */
export const cpuOf = (text: string, job: string, group?: string): number => resourceOf(text, job, "cpu", group);

/** Redis' own limit in MB, by the same formula as in its job file. */
export async function redisMaxMemoryMb(): Promise<number> {
  const text = await readJob("redis");
  const formula = /MAXMEMORY_MB\s+= floor\(var\.memory\.max \* (\d+) \/ (\d+)\)/.exec(text);
  if (formula === null) throw new Error("nomad/data/redis.nomad.hcl does not derive MAXMEMORY_MB from var.memory.max");
  return Math.floor((memoryMaxOf(text, "redis") * Number(formula[1])) / Number(formula[2]));
}

/** The limit of the job's last task, its service; earlier tasks prepare data. */
export const memoryMaxOf = (text: string, job: string): number => resourceOf(text, job, "memory_max");

function resourceOf(text: string, job: string, resource: string, group = ""): number {
  const assignments = text.matchAll(new RegExp(`^\\s*${resource}\\s*=\\s*(lookup\\(.*?\\)|\\S+)`, "gm"));
  const value = [...assignments].at(-1)?.[1] ?? "";
  const [, ofGroups = "", otherwise] = /^lookup\(\{(.*)\}, group\.key, (\d+)\)$/.exec(value) ?? [];
  if (otherwise !== undefined) return Number(new RegExp(`\\b${group} = (\\d+)`).exec(ofGroups)?.[1] ?? otherwise);
  const [, name, part] = /^local\.job\.(\w+)\.(\w+)$/.exec(value) ?? [];
  // A file of several jobs, such as nomad/dev/stand-ins.nomad.hcl.
  if (name !== undefined)
    return Number(new RegExp(`\\b${job} = \\{[^]*?\\b${name} = \\{[^}]*\\b${part} = (\\d+)`).exec(text)?.[1]);
  const [, variable, key = "default"] = /^var\.(\w+)(?:\.(\w+))?$/.exec(value) ?? [];
  const number =
    variable === undefined
      ? value
      : (new RegExp(`variable "${variable}" \\{[^}]*?\\b${key}\\s*=\\s*(\\d+)`).exec(text)?.[1] ?? "");
  if (!/^\d+$/.test(number)) throw new Error(`${job}.nomad.hcl has no ${resource} that can be read: ${value}`);
  return Number(number);
}

/** The kind of a process by its name: worker-1-high is a worker. */
export const kindOf = (name: string): string => name.split("-")[0]!;

const readJob = (job: string) => Bun.file(join(root, jobFileOf(job))).text();
