import { jobNames, parseJobFile } from "../../job_file.ts";
import { parts, releaseVariable } from "../../release/parts.ts";
import { readPolicies } from "../policies.ts";

type JobShape = {
  ID: string;
  TaskGroups: {
    Services?: { Name: string }[] | null;
    Tasks: { Name: string; Consul?: object | null; Services?: { Name: string }[] | null }[];
  }[];
};

/** A job file as access control sees it. */
export type JobAccess = { job: string; services: string[]; usesConsul: boolean };

/** The addresses of releases do not matter here. */
const anyRelease = Object.fromEntries(
  parts.map((part) => [`NOMAD_VAR_${releaseVariable(part)}`, "https://example.com/x.tar.gz?checksum=sha256:00"]),
);

/** Every job of every job file, also of those that scripts/up does not run. */
export const readJobs = (): Promise<JobAccess[]> => Promise.all(jobNames.map(readJob));

async function readJob(name: string): Promise<JobAccess> {
  const job = (await parseJobFile(name, anyRelease)) as unknown as JobShape;
  const tasks = job.TaskGroups.flatMap(({ Tasks }) => Tasks);
  const services = [...job.TaskGroups, ...tasks].flatMap(({ Services }) => Services ?? []).map(({ Name }) => Name);
  return { job: name, services: [...new Set(services)], usesConsul: tasks.some(({ Consul }) => Consul != null) };
}

/** Policies that belong to no job: roles of people and programs, and Nomad's agents. */
export const rolePolicies: Readonly<Record<"consul" | "nomad", readonly string[]>> = {
  consul: ["nomad-client", "nomad-server", "operator", "restorer"],
  nomad: ["deployer", "operator", "read-only", "restorer"],
};

/** The policies of jobs' own identities in Nomad, by the name of the job. */
export const jobPolicyNames = async (): Promise<string[]> => [...(await readPolicies("nomad/policies/jobs")).keys()];

export const policyNames = async (folder: "consul" | "nomad"): Promise<string[]> => [
  ...(await readPolicies(`${folder}/policies`)).keys(),
];
