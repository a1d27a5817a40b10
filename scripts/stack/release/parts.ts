/**
 * The tarballs of a release, each with the programs in it. A job runs one of them, so that a deploy replaces the
 * allocations of a job only when its own tarball changed.
 */
const programs = {
  acme: ["services/acme/main.ts"],
  api: ["services/api/main.ts"],
  autoscaler: ["services/autoscaler/main.ts"],
  calls: ["services/calls/main.ts"],
  "call-agent": ["services/calls/agent/main.ts"],
  // The pages of the console, which the edge serves.
  console: [],
  indexer: ["services/indexer/main.ts"],
  migrate: ["services/migrate/main.ts"],
  simulator: ["services/simulator/main.ts"],
  whatsapp: ["services/whatsapp/main.ts"],
  // A worker starts the second program to decode media.
  workers: ["services/workers/main.ts", "services/workers/media/decoder/child.ts"],
} as const satisfies Record<string, readonly string[]>;

export type Part = keyof typeof programs;
export const parts = Object.keys(programs) as Part[];

export const programsOf = (part: Part): readonly string[] => programs[part];

/** The variable of the job files that holds the address of a part: api_release, call_agent_release, … */
export const releaseVariable = (part: Part): string => `${part.replaceAll("-", "_")}_release`;

/** Jobs that are not named after their part. */
const partOfOther: Readonly<Record<string, Part>> = { "wa-shards": "whatsapp", nginx: "console" };

/** The part that a job runs; null for a job that runs none of ours. */
export function partOfJob(job: string): Part | null {
  return partOfOther[job] ?? parts.find((part) => part === job) ?? null;
}

/** The variable with the release that a job runs; null for a job that runs none of ours. */
export function releaseVariableOf(job: string): string | null {
  const part = partOfJob(job);
  return part === null ? null : releaseVariable(part);
}
