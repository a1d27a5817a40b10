import { groups } from "../../lib/queues/definitions.ts";
import type { Profile } from "../../lib/queues/definitions.ts";
import { orNull } from "./nomad.ts";
import type { Job, Nomad } from "./nomad.ts";

/** The variable `profile` of nomad/platform/workers.nomad.hcl, and the groups that each of its values has. */
export const groupsOfProfile = { groups, single: ["all"] } as const satisfies Record<string, readonly Profile[]>;
export type WorkersProfile = keyof typeof groupsOfProfile;
export const workersProfiles = Object.keys(groupsOfProfile) as WorkersProfile[];

/** The profile whose groups a job has; null where it has groups of both, during a change. */
export function profileOf({ TaskGroups }: Job): WorkersProfile | null {
  const found = workersProfiles.filter((profile) =>
    TaskGroups.some(({ Name }) => (groupsOfProfile[profile] as readonly string[]).includes(Name)),
  );
  return found.length === 1 ? found[0]! : null;
}

/** Variables that belong to the cluster once it has the job, as counts do: a deploy does not undo them. */
export async function valuesOfCluster(nomad: Nomad, id: string): Promise<Record<string, string>> {
  if (id !== "workers") return {};
  const running = await orNull(nomad<Job>("GET", `/v1/job/${id}`));
  const profile = running === null ? null : profileOf(running);
  return profile === null ? {} : { profile };
}
