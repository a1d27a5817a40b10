import { join } from "node:path";
import { parseJob } from "../../lib/scaling/index.ts";
import { groupsOfProfile } from "../stack/workers_profile.ts";

/*
 * task lint: compares the groups of nomad/platform/workers.nomad.hcl in both profiles with lib/queues/definitions.ts:
 * each starts under its own name, and scales by the wait of its jobs. Prints the faults and exits 1.
 */

const root = join(import.meta.dir, "../..");

type Group = { Name: string; Tasks: { Env: Record<string, string> }[] };

const faults: string[] = [];
for (const [profile, expected] of Object.entries(groupsOfProfile)) {
  const job = await workersOf(profile);
  const found = job.TaskGroups;
  const names = found.map(({ Name }) => Name).toSorted();
  if (names.join() !== expected.toSorted().join())
    faults.push(`profile ${profile} has the groups ${names.join(", ")}, not ${expected.join(", ")}`);
  for (const { Name, Tasks } of found) {
    const started = Tasks.map(({ Env }) => Env["WORKER_GROUP"]);
    if (started.join() !== Name) faults.push(`the workers of ${Name} serve ${started.join(", ")}`);
  }
  for (const { group, policy } of parseJob(job).groups) {
    if (typeof policy === "string") faults.push(`${group}: ${policy}`);
    else if (policy.targets.oldest_job_seconds === undefined) faults.push(`${group} has no longest wait to scale by`);
  }
}
for (const fault of faults) console.error(`nomad/platform/workers.nomad.hcl: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);

/** Parses the job file with Nomad, without a server. */
async function workersOf(profile: string): Promise<{ TaskGroups: Group[] }> {
  const values = ["-var=workers_release=https://releases.example.com/prosaas.tar.gz", `-var=profile=${profile}`];
  const child = Bun.spawn(["nomad", "job", "run", "-output", ...values, "nomad/platform/workers.nomad.hcl"], {
    cwd: root,
    stderr: "inherit",
  });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("nomad cannot read nomad/platform/workers.nomad.hcl");
  return (JSON.parse(output) as { Job: { TaskGroups: Group[] } }).Job;
}
