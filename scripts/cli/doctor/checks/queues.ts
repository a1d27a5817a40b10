import type { Schemas } from "../../../../lib/api-client/index.ts";
import { count, duration, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

type Queue = Pick<Schemas["Queue"], "queue" | "group" | "dead" | "oldest_ms" | "waiting">;

/** Well above the waits at which the autoscaler adds workers (nomad/platform/workers.nomad.hcl), in ms. */
const longestWaitMs: Record<string, number> = { high: 30_000, default: 60_000, low: 15 * 60_000 };

export const judgeQueues = (queues: readonly Queue[]): Fault[] =>
  queues.flatMap(({ queue, group, dead, oldest_ms, waiting }) => {
    const faults: Fault[] = [];
    if (oldest_ms !== null && oldest_ms > (longestWaitMs[group] ?? 60_000)) {
      const found = `The oldest of ${count(waiting, "job")} in queue ${queue} waits for ${duration(oldest_ms)}.`;
      faults.push(warning(found, `Look for errors (task logs -- workers), or: task scale:workers GROUP=${group} N=…`));
    }
    if (dead > 0) {
      const found = `Queue ${queue} has ${count(dead, "dead letter")}.`;
      faults.push(
        warning(found, `See why, then replay them: task dead -- ${queue}, task dead -- ${queue} --replay-all`),
      );
    }
    return faults;
  });
