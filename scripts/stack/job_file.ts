import { basename, join } from "node:path";
import { root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import type { Job, TaskGroup } from "./nomad.ts";
import { runProgram } from "./program.ts";
import { readJobVariables } from "./variables.ts";

/** The path of each job's file below the checkout, by the job's name: nomad/<folder>/<name>.nomad.hcl. */
const jobFiles: ReadonlyMap<string, string> = new Map(
  [...new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })].map((path) => [basename(path, ".nomad.hcl"), path]),
);

/** Jobs that differ in little share a file, whose variable `job` names one of them. */
const sharedFiles: Readonly<Record<string, string>> = {
  acme: "schema",
  indexer: "schema",
  migrate: "schema",
  simulator: "stand-ins",
  "call-agent": "stand-ins",
};

/** Every job that a file describes. */
export const jobNames: readonly string[] = [...jobFiles.keys(), ...Object.keys(sharedFiles)]
  .filter((name) => !Object.values(sharedFiles).includes(name))
  .toSorted();

export function jobFileOf(name: string): string {
  const path = jobFiles.get(sharedFiles[name] ?? name);
  if (path === undefined) throw new Error(`No file nomad/*/${name}.nomad.hcl describes a job ${name}.`);
  return path;
}

/**
 * The job in nomad/<folder>/<name>.nomad.hcl with the variables of a stack, then those given. The nomad program parses
 * it, because HCL is its language. Throws nomad's own message where the file is wrong.
 */
export async function readJobFile(
  name: string,
  { stateDir }: Pick<Environment, "stateDir">,
  values: Readonly<Record<string, string>> = {},
): Promise<Job> {
  return parseJobFile(name, await readJobVariables(stateDir), values);
}

type Parsed = Omit<Job, "Type" | "TaskGroups"> & {
  Type: string | null;
  TaskGroups: (Omit<TaskGroup, "Count"> & { Count: number | null })[];
};

/** The job in a file, with variables from an environment (NOMAD_VAR_<name>), then those given. No server is asked. */
export async function parseJobFile(
  name: string,
  environment: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>> = {},
): Promise<Job> {
  const file = jobFileOf(name);
  const given = Object.entries({ ...values, ...(name in sharedFiles ? { job: name } : {}) }).map(
    ([key, value]) => `-var=${key}=${value}`,
  );
  const { code, stdout, stderr } = await runProgram(["nomad", "job", "run", "-output", ...given, join(root, file)], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  if (code !== 0) throw new Error(`${file} cannot be read:\n${stderr}`);
  const { Job: job } = JSON.parse(stdout) as { Job: Parsed };
  // The program leaves defaults to the server, whose jobs all have a type and counts.
  const groups = job.TaskGroups.map((group) => ({ ...group, Count: group.Count ?? 1 }));
  return { ...job, Type: job.Type ?? "service", TaskGroups: groups };
}
