import type { Policy, Signal } from "../../lib/scaling/index.ts";

/** How a group's load compares with one target of its policy. */
export type Pressure = {
  signal: Signal;
  /** The load as a share of its target: above 1 there are too few replicas. */
  load: number;
  /** Replicas that bring the load down to its target. */
  needed: number;
  /** True if one replica fewer is enough, with a reserve. */
  isCalm: boolean;
  /** For people. */
  description: string;
};

/** Part of the wait limit below which a wait is short. */
const shortWait = 0.25;

/** Part of the target that the rest may reach after a removal, so that no replica is added back soon. */
const roomAfterRemoval = 0.75;

/** The known load of a group. */
export type Load = {
  /** Wait of the oldest job in its queues. */
  oldestSeconds: number | undefined;
  /** Of each replica; undefined where it is not known. */
  cores: readonly (number | undefined)[];
  streams: readonly (number | undefined)[];
};

/** Compares a group's load with each target. An unknown load has no pressure. */
export function pressuresOf({ targets }: Pick<Policy, "targets">, count: number, load: Load): Pressure[] {
  return [
    ...wait(targets.oldest_job_seconds, count, load.oldestSeconds),
    ...share("cpu", targets.cpu, load.cores, (mean) => `${mean.toFixed(2)} cores`),
    ...share("streams", targets.streams, load.streams, (mean) => `${mean.toFixed(1)} media streams`),
  ];
}

/** A wait does not say how many replicas would end it: the count grows with it, at most to twice. */
function wait(limit: number | undefined, count: number, oldest: number | undefined): Pressure[] {
  if (limit === undefined || oldest === undefined) return [];
  const load = oldest / limit;
  return [
    {
      signal: "oldest_job_seconds",
      load,
      needed: load > 1 ? Math.ceil(count * Math.min(2, load)) : count,
      isCalm: load <= shortWait,
      description: `the oldest job waits ${oldest.toFixed(1)} s of ${limit}`,
    },
  ];
}

/** A load that replicas share. */
function share(
  signal: Signal,
  target: number | undefined,
  ofReplicas: readonly (number | undefined)[],
  describe: (mean: number) => string,
): Pressure[] {
  const values = ofReplicas.filter((value) => value !== undefined);
  if (target === undefined || values.length === 0) return [];
  const total = values.reduce((sum, value) => sum + value, 0);
  const mean = total / values.length;
  return [
    {
      signal,
      load: mean / target,
      needed: Math.ceil(total / target),
      isCalm: values.length > 1 && total / (values.length - 1) <= target * roomAfterRemoval,
      description: `a replica has ${describe(mean)} of ${target}`,
    },
  ];
}
