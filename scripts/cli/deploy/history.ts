import { profileOf } from "../../stack/workers_profile.ts";
import type { Job, Nomad } from "../../stack/nomad.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import { planSubmit } from "../../stack/submit.ts";
import { ScaleFailure } from "../scale/failure.ts";
import { readJob } from "../scale/job_group.ts";

/** A version of a job that Nomad remembers: the last six, unless they are tagged. */
export type Version = Job & { Version: number; Stable?: boolean };

/** Newest first. */
export async function readVersions(nomad: Nomad, id: string): Promise<Version[]> {
  const { Versions } = await nomad<{ Versions: Version[] }>("GET", `/v1/job/${encodeURIComponent(id)}/versions`);
  return Versions.toSorted((a, b) => b.Version - a.Version);
}

/** "version 4 (release 0a1b2c3d4e5f)". */
export function describeVersion(job: Version): string {
  const address = releaseOf(job);
  return `version ${job.Version}${address === undefined ? "" : ` (release ${releaseName(address)})`}`;
}

const listOf = (healthy: readonly Version[]): string =>
  healthy.length === 0
    ? "No earlier version was healthy, of those that Nomad remembers."
    : `These were healthy: ${healthy.map(describeVersion).join(", ")}.`;

/** Nomad calls a version stable once each of its allocations was healthy. */
export const wasHealthy = ({ Stable, Stop }: Version): boolean => Stable === true && Stop !== true;

/** Versions with other groups of workers belong to another profile, which a rollback does not change. */
const hasSameGroups = (a: Job, b: Job): boolean => a.ID !== "workers" || profileOf(a) === profileOf(b);

/**
 * The version to go back to: the newest earlier one that was healthy and differs in more than its counts and secrets,
 * or the one that `to` names.
 * @throws ScaleFailure that says which versions there are
 */
export async function versionBefore(nomad: Nomad, id: string, to?: number): Promise<Version> {
  const running = await readJob({ nomad }, id);
  const earlier = (await readVersions(nomad, id)).filter(({ Version }) => Version < running.Version!);
  const healthy = earlier.filter((one) => wasHealthy(one) && hasSameGroups(one, running));
  if (to !== undefined) {
    const found = healthy.find(({ Version }) => Version === to);
    if (found !== undefined) return found;
    throw new ScaleFailure(`${id} cannot go back to version ${to}. ${listOf(healthy)}`);
  }
  for (const version of healthy) {
    const { changed } = await planSubmit(nomad, version);
    if (changed.length > 0) return version;
  }
  throw new ScaleFailure(
    `${id} has no other version to go back to. ${listOf(healthy)} ` +
      `Deploy the release that you want: task deploy JOB=${id} -- --release FILE`,
  );
}
