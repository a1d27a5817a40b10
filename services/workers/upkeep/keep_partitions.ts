import { dropOldPartitions, ensurePartitions, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

/** Months partitioned in advance: the cluster can run for that long without this job. */
const monthsAhead = 3;

/** Creates the partitions of the coming months and drops those past their retention. */
export function keepPartitions({
  db,
  logger,
  retention,
}: Pick<Deps, "db" | "logger" | "retention">): Handler<"keep_partitions"> {
  const scope = forPlatform(db);
  return async () => {
    const made = await ensurePartitions(scope, monthsAhead);
    const dropped = retention.messageMonths === null ? [] : await dropOldPartitions(scope, retention.messageMonths);
    if (made.length + dropped.length > 0) logger.info({ made, dropped }, "message partitions created or dropped");
    return { counts: { made: made.length, dropped: dropped.length } };
  };
}
