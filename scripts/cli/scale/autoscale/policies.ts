import { z } from "zod";
import type { Target } from "../target.ts";

/** The job that scales. Shards never scale automatically, because each owns businesses. */
export const scaledJob = "workers";

/** The `scaling` block of a group in nomad/platform/workers.nomad.hcl. */
export type Policy = { group: string; min: number; max: number; waitMs: number; cooldownMs: number };

const one = <T extends z.ZodType>(schema: T) => z.array(schema).length(1);
const check = z.object({
  strategy: one(z.object({ "target-value": one(z.object({ target: z.number().positive() })) })),
});
const scalingPolicy = z.object({
  Enabled: z.boolean(),
  Min: z.int(),
  Max: z.int(),
  Target: z.object({ Group: z.string() }),
  Policy: z.object({ cooldown: z.string(), check: one(z.object({ oldest_job: one(check) })) }),
});
const stubs = z.array(z.object({ ID: z.string() }));

/** Reads the enabled policies of the running groups. */
export async function readPolicies({ nomad }: Pick<Target, "nomad">): Promise<Policy[]> {
  const found = stubs.parse(await nomad("GET", `/v1/scaling/policies?job=${scaledJob}`));
  const all = await Promise.all(
    found.map(async ({ ID }) => scalingPolicy.parse(await nomad("GET", `/v1/scaling/policy/${ID}`))),
  );
  return all.filter(({ Enabled }) => Enabled).map(policyOf);
}

const scaleEvents = z.object({
  TaskGroups: z.record(
    z.string(),
    z.object({
      Events: z.array(z.object({ Time: z.number(), Count: z.int().nullable(), PreviousCount: z.int() })).nullish(),
    }),
  ),
});

/** Time since the last change of each group's count by any scale command, ms, by Nomad's clock. */
export async function readLastChanges(
  { nomad }: Pick<Target, "nomad">,
  now = Date.now(),
): Promise<Map<string, number>> {
  const { TaskGroups } = scaleEvents.parse(await nomad("GET", `/v1/job/${scaledJob}/scale`));
  const ages = Object.entries(TaskGroups).flatMap(([group, { Events }]) => {
    const times = (Events ?? [])
      .filter(({ Count, PreviousCount }) => Count !== null && Count !== PreviousCount)
      .map(({ Time }) => Time / 1e6);
    return times.length === 0 ? [] : [[group, Math.max(0, now - Math.max(...times))] as const];
  });
  return new Map(ages);
}

function policyOf({
  Min: min,
  Max: max,
  Target: { Group: group },
  Policy: policy,
}: z.output<typeof scalingPolicy>): Policy {
  const { target } = policy.check[0]!.oldest_job[0]!.strategy[0]!["target-value"][0]!;
  return { group, min, max, waitMs: target * 1000, cooldownMs: durationMs(policy.cooldown) };
}

const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Parses a duration as Nomad writes it: 90s, 1m30s. @throws on any other text */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) throw new Error(`${text} is no duration`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0);
}
