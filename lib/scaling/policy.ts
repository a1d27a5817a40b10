import { z } from "zod";

const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Parses a duration as Nomad writes it: 90s, 1m30s. @throws on any other text */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) throw new Error(`${text} is no duration`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0);
}

const zDuration = z.string().transform((text, context) => {
  try {
    return durationMs(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: String(error) });
    return z.NEVER;
  }
});

const target = z.number().positive().optional();

/**
 * The `policy` of a scaling block in nomad/platform. It is ours alone: HashiCorp's autoscaler refuses a policy without
 * a `check`, and its target-value asks for the minimum at once when nothing waits.
 */
export const policySchema = z
  .strictObject({
    /** Longest wait of the oldest job in the group's queues, in seconds. */
    oldest_job_seconds: target,
    /** Processor time of a replica, in cores. */
    cpu: target,
    /** Media streams of a replica. */
    streams: target,
    /** The autoscaler leaves at least as many. Commands may go down to the block's `min`. */
    keep: z.int().positive().default(1),
    /** Time between two changes. A new allocation takes half a minute to serve and to show. */
    cooldown: zDuration.prefault("1m"),
    /** Calm before a replica is removed, and between two removals: at least as long as a replica drains. */
    calm: zDuration.prefault("5m"),
    /** Time for which a count that a command or an operator set is kept. */
    hold: zDuration.prefault("1h"),
  })
  .refine(({ oldest_job_seconds, cpu, streams }) => oldest_job_seconds ?? cpu ?? streams, {
    message: "has no target: oldest_job_seconds, cpu or streams",
  })
  .transform(({ oldest_job_seconds, cpu, streams, keep, cooldown, calm, hold }) => ({
    targets: { oldest_job_seconds, cpu, streams },
    keep,
    cooldownMs: cooldown,
    calmMs: calm,
    holdMs: hold,
  }));

export type Policy = z.output<typeof policySchema>;
export type Signal = keyof Policy["targets"];
