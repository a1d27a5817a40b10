import { AppError } from "../../../lib/core/errors.ts";
import type { Source } from "./entry.ts";

/** Nomad's answer, as far as it is read here. */
export type LoggedAllocation = {
  ID: string;
  Name: string;
  JobID: string;
  TaskGroup: string;
  ClientStatus: string;
  /** Unix nanoseconds. */
  ModifyTime: number;
  TaskStates: Record<string, { State: string }> | null;
};

export type Choice = {
  /** Jobs, or groups of jobs such as "workers/high"; all if empty. */
  services: readonly string[];
  /** Unix ms: an allocation that ended earlier has nothing to show. */
  since: number;
};

export type ChosenSource = Source & { isRunning: boolean };

/**
 * Connections that a command may hold. Nomad's agent allows an address 100 (http_max_conns_per_client), and others from
 * the same machine need some.
 */
const maxStreams = 80;

const isOf = (service: string, { JobID, TaskGroup }: LoggedAllocation) =>
  JobID === service ||
  `${JobID}/${TaskGroup}` === service ||
  ["dispatch", "periodic"].some((kind) => JobID.startsWith(`${service}/${kind}-`));

/** The outputs of all tasks of the services, of allocations that run or ended since. */
export function chooseSources(all: readonly LoggedAllocation[], { services, since }: Choice): ChosenSource[] {
  for (const service of services) {
    if (all.some((one) => isOf(service, one))) continue;
    const known = [...new Set(all.map(({ JobID }) => JobID.replace(/\/(dispatch|periodic)-.*/, "")))].toSorted();
    throw new AppError("not_found", `Nomad has no allocation of "${service}". It has ${known.join(", ")}.`);
  }
  const chosen = all.filter(
    (one) =>
      (services.length === 0 || services.some((service) => isOf(service, one))) &&
      (one.ClientStatus === "running" || one.ModifyTime / 1e6 >= since),
  );
  const sources = chosen.flatMap(sourcesOf);
  if (sources.length > maxStreams)
    throw new AppError(
      "invalid_request",
      `${sources.length} outputs of tasks are more than can be read at once (${maxStreams}): ` +
        "name one service, or see one allocation with nomad alloc logs.",
    );
  return sources;
}

function sourcesOf({ ID, Name, TaskStates }: LoggedAllocation): ChosenSource[] {
  const tasks = Object.entries(TaskStates ?? {}).filter(([, { State }]) => State !== "pending");
  return tasks.flatMap(([task, { State }]) =>
    (["stdout", "stderr"] as const).map((stream) => ({
      name: tasks.length === 1 ? Name : `${Name}/${task}`,
      allocation: ID,
      task,
      stream,
      isRunning: State === "running",
    })),
  );
}
