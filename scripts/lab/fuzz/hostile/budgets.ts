import { join } from "node:path";
import { root } from "../../rig/child.ts";
import { jobFileOf } from "../../../stack/job_file.ts";

/** The job whose memory limit applies to each kind of process of the rig. */
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

/** Redis' own limit in MB, by the same formula as in its job file. */
export async function redisMaxMemoryMb(): Promise<number> {
  const text = await readJob("redis");
  const formula = /MAXMEMORY_MB\s+= floor\(var\.memory\.max \* (\d+) \/ (\d+)\)/.exec(text);
  if (formula === null) throw new Error("nomad/data/redis.nomad.hcl does not derive MAXMEMORY_MB from var.memory.max");
  return Math.floor((memoryMaxOf(text, "redis") * Number(formula[1])) / Number(formula[2]));
}

/** The limit of the job's last task, its service; earlier tasks prepare data. */
export function memoryMaxOf(text: string, job: string): number {
  const value = [...text.matchAll(/^\s*memory_max\s*=\s*(\S+)/gm)].at(-1)?.[1] ?? "";
  const [, variable, key = "default"] = /^var\.(\w+)(?:\.(\w+))?$/.exec(value) ?? [];
  const number =
    variable === undefined
      ? value
      : (new RegExp(`variable "${variable}" \\{[^}]*?\\b${key}\\s*=\\s*(\\d+)`).exec(text)?.[1] ?? "");
  if (!/^\d+$/.test(number)) throw new Error(`${job}.nomad.hcl has no memory_max that can be read: ${value}`);
  return Number(number);
}

/** The kind of a process by its name: worker-1-high is a worker. */
export const kindOf = (name: string): string => name.split("-")[0]!;

const readJob = (job: string) => Bun.file(join(root, jobFileOf(job))).text();
