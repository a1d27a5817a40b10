import { basename, join } from "node:path";
import { root } from "./environment.ts";
import type { Environment } from "./environment.ts";
import type { Job } from "./nomad.ts";
import { releaseOf } from "./release.ts";

/** The path of each job's file below the checkout, by the job's name: nomad/<folder>/<name>.nomad.hcl. */
const jobFiles: ReadonlyMap<string, string> = new Map(
  [...new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })].map((path) => [basename(path, ".nomad.hcl"), path]),
);

export function jobFileOf(name: string): string {
  const path = jobFiles.get(name);
  if (path === undefined) throw new Error(`No file nomad/*/${name}.nomad.hcl describes a job ${name}.`);
  return path;
}

/** Folder in services/ of each job that runs code of this repository. */
const serviceOfJob: Record<string, string> = {
  api: "api",
  "call-agent": "calls",
  calls: "calls",
  indexer: "indexer",
  migrate: "migrate",
  simulator: "simulator",
  "wa-shards": "whatsapp",
  workers: "workers",
};

/**
 * The job in nomad/<folder>/<name>.nomad.hcl with the values of nomad/env/dev.vars.hcl, then of the stack, then those given;
 * parsed by the nomad program, because HCL is its language. Throws with nomad's own sentences where the file is wrong.
 */
export async function readJobFile(
  name: string,
  { stateDir }: Pick<Environment, "stateDir">,
  values: Readonly<Record<string, string>> = {},
): Promise<Job> {
  const file = jobFileOf(name);
  const service = serviceOfJob[name];
  const release = service === undefined ? [] : ["-var", `release=${await releaseOf(service)}`];
  const child = Bun.spawn(
    [
      "nomad",
      "job",
      "run",
      "-output",
      "-hcl2-strict=false",
      "-var-file=nomad/env/dev.vars.hcl",
      `-var-file=${join(stateDir, "stack.vars.hcl")}`,
      ...release,
      ...Object.entries(values).map(([key, value]) => `-var=${key}=${value}`),
      file,
    ],
    { cwd: root, stdout: "pipe", stderr: "pipe" },
  );
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${file} cannot be read:\n${errors}`);
  return (JSON.parse(output) as { Job: Job }).Job;
}
