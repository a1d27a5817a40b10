import { z } from "zod";
import { policySchema } from "./policy.ts";
import type { Policy } from "./policy.ts";

/** The jobs that scale automatically. Shards never do, because each owns businesses. */
export const scaledJobs = ["api", "calls", "workers"] as const;

const groupSchema = z.object({
  Name: z.string(),
  Count: z.int(),
  Services: z.array(z.object({ Name: z.string() })).nullish(),
  Scaling: z
    .object({ Enabled: z.boolean().nullish(), Min: z.int(), Max: z.int(), Policy: z.record(z.string(), z.unknown()) })
    .nullish(),
});
const jobSchema = z.object({
  ID: z.string(),
  Stop: z.boolean().nullish(),
  /** Null in a file that was not registered. */
  JobModifyIndex: z.int().nullish(),
  TaskGroups: z.array(groupSchema),
});

/** A group with an enabled scaling block. */
export type ScaledGroup = {
  job: string;
  group: string;
  /** Its service in Consul. */
  service: string;
  count: number;
  min: number;
  max: number;
  /** A text is the fault of a policy that cannot be read. */
  policy: Policy | string;
};

export type ScaledJob = {
  /** Changes with each registration: a change of count is refused if another one came before it. */
  modifyIndex: number;
  groups: ScaledGroup[];
};

/** The name of a group for people and metrics: "workers/high", "api". */
export const nameOf = ({ job, group }: { job: string; group: string }) => (job === group ? job : `${job}/${group}`);

/** The groups of a job (GET /v1/job/:id) that scale automatically. A stopped job has none. */
export function parseJob(body: unknown): ScaledJob {
  const { ID: job, Stop, JobModifyIndex, TaskGroups } = jobSchema.parse(body);
  const groups = TaskGroups.flatMap(({ Name: group, Count: count, Services, Scaling }) => {
    if (Stop || !Scaling || Scaling.Enabled === false) return [];
    const parsed = policySchema.safeParse(Scaling.Policy);
    const policy = parsed.success ? parsed.data : `The scaling policy is refused: ${faultsOf(parsed.error)}`;
    return [{ job, group, service: Services?.[0]?.Name ?? "", count, min: Scaling.Min, max: Scaling.Max, policy }];
  });
  return { modifyIndex: JobModifyIndex ?? 0, groups };
}

const faultsOf = ({ issues }: z.ZodError) =>
  issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; ");
