import { messageOf } from "../../../lib/core/errors.ts";
import { parseJobFile } from "../../stack/job_file.ts";
import { allJobs, optionalJobs } from "../../stack/jobs.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Job, Nomad } from "../../stack/nomad.ts";
import { parts, releaseVariable, releaseVariableOf } from "../../stack/release/parts.ts";
import { releaseOf } from "../../stack/release/running.ts";
import { parseJobVariables } from "../../stack/variables.ts";
import { valuesOfCluster } from "../../stack/workers_profile.ts";
import { ScaleFailure } from "../scale/failure.ts";

/** Values of variables in the environment of the nomad program, by NOMAD_VAR_<name>. */
export type Variables = Readonly<Record<string, string>>;

/** The jobs that a value of JOB names; none if it is empty. */
export function parseJobs(text: string): string[] {
  const ids = text.split(",").map((id) => id.trim());
  return [...new Set(ids)].filter((id) => id !== "");
}

/** The platform's jobs that the cluster runs. */
export async function runningJobsOf(nomad: Nomad): Promise<Map<string, Job>> {
  const found = await Promise.all(
    [...allJobs, ...optionalJobs].map((id) => orNull(nomad<Job>("GET", `/v1/job/${id}`))),
  );
  return new Map(found.flatMap((job) => (job === null || job.Stop === true ? [] : [[job.ID, job] as const])));
}

/** Reads the file that `task release` printed. @throws ScaleFailure if it cannot be read or names no release */
export async function readReleaseFile(path: string): Promise<Variables> {
  let read: Variables;
  try {
    read = parseJobVariables(await Bun.file(path).text());
  } catch (error) {
    throw new ScaleFailure(`The release ${path} cannot be read: ${messageOf(error)}`);
  }
  if (Object.keys(read).some((name) => name.endsWith("_release"))) return read;
  throw new ScaleFailure(`${path} names no release: it has no line NOMAD_VAR_api_release='…', as task release prints.`);
}

/**
 * The addresses of the releases that `ids` would run: those in `given`, and otherwise those that the jobs run.
 * @throws ScaleFailure for a job that has neither
 */
export async function releasesFor(nomad: Nomad, ids: readonly string[], given: Variables): Promise<Variables> {
  const releases: Record<string, string> = {};
  for (const id of ids) {
    const variable = releaseVariableOf(id);
    if (variable === null) continue;
    const name = `NOMAD_VAR_${variable}`;
    const running = await orNull(nomad<Job>("GET", `/v1/job/${encodeURIComponent(id)}`));
    const address = given[name] || (running === null ? undefined : releaseOf(running));
    if (!address) throw new ScaleFailure(`${id} has no release yet: name one with --release FILE (task release).`);
    releases[name] = address;
  }
  return releases;
}

/** Two jobs share a file, which asks for the release of both. */
const unset: Variables = Object.fromEntries(parts.map((part) => [`NOMAD_VAR_${releaseVariable(part)}`, "unset"]));

/** The jobs in the files with these variables, and those that belong to the cluster. */
export async function readWantedJobs(
  nomad: Nomad,
  ids: readonly string[],
  given: Variables,
): Promise<Map<string, Job>> {
  const read = async (id: string) =>
    [id, await parseJobFile(id, { ...unset, ...given }, await valuesOfCluster(nomad, id))] as const;
  return new Map(await Promise.all(ids.map(read)));
}
