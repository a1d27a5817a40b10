import { nameOf } from "../../../../lib/scaling/index.ts";
import { ScaleFailure } from "../failure.ts";
import type { Report } from "../report.ts";
import type { Target } from "../target.ts";
import { awaitNothing } from "./await.ts";
import type { NodeNow } from "./cluster_now.ts";
import { acrossElections } from "../../../stack/elections.ts";
import { readLiveOn, readNodes } from "./read_cluster.ts";

/** After the deadline Nomad stops what is left, which takes up to the longest kill_timeout: of calls, 10 minutes. */
const killMs = 660_000;

/** Lets Nomad move what is on the node, by the migrate block of each group, system jobs last. */
export async function startNomadDrain({ nomad }: Target, node: NodeNow, drainMs: number): Promise<void> {
  await acrossElections(() =>
    nomad("POST", `/v1/node/${node.id}/drain`, {
      // Nanoseconds.
      DrainSpec: { Deadline: drainMs * 1e6, IgnoreSystemJobs: false },
      MarkEligible: false,
    }),
  );
}

export type AwaitedDrain = {
  drainMs: number;
  /** Groups without another node, which stop. */
  stopped: readonly string[];
};

/**
 * Waits until nothing runs on the node. Nomad keeps a group whole that runs less often than its job says, until the
 * deadline; one that stops anyway is stopped here as soon as everything else has left.
 */
export function awaitDrained(
  target: Target,
  node: NodeNow,
  report: Report,
  { drainMs, stopped }: AwaitedDrain,
): Promise<void> {
  const asked = new Set<string>();
  const hint = `See: nomad node status ${node.id.slice(0, 8)}. Run the command again to go on.`;
  return awaitNothing(report, { deadlineMs: drainMs + killMs, hint }, async () => {
    const now = (await readNodes(target)).find(({ id }) => id === node.id);
    if (now === undefined) throw new ScaleFailure(`${node.name} was removed from Nomad during its drain.`);
    if (now.status !== "ready") {
      throw new ScaleFailure(
        `${node.name} is ${now.status} since its drain began: Nomad starts stateless services elsewhere. ` +
          "When it is back, run the command again to see what is left on it.",
      );
    }
    const left = await readLiveOn(target, node.id);
    if (left.length === 0) return now.isDraining ? "Nomad has not ended the drain yet" : null;
    const nameOfStub = ({ JobID, TaskGroup }: (typeof left)[number]) => nameOf({ job: JobID, group: TaskGroup });
    const stopping = left.filter((one) => stopped.includes(nameOfStub(one)));
    if (stopping.length > 0 && left.every((one) => one.JobType === "system" || stopping.includes(one))) {
      for (const { ID } of stopping.filter((one) => !asked.has(one.ID))) {
        await target.nomad("POST", `/v1/allocation/${ID}/stop`);
        asked.add(ID);
      }
    }
    const names = left.map(nameOfStub);
    const counts = [...Map.groupBy(names, (name) => name)].map(([name, { length }]) => `${name} ${length}`);
    return `left on ${node.name}: ${counts.join(", ")}`;
  });
}
