import { dropOldPartitions, ensurePartitions, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

/** Months that have their partition before they begin: a cluster may go without its maintenance for that long. */
const monthsAhead = 3;

/** Sees to it that next month's messages have a place, and drops the months that are kept no longer. */
export function keepPartitions({
  db,
  logger,
  retention,
}: Pick<Deps, "db" | "logger" | "retention">): Handler<"keep_partitions"> {
  const scope = forPlatform(db);
  return async () => {
    const made = await ensurePartitions(scope, monthsAhead);
    const dropped = retention.messageMonths === null ? [] : await dropOldPartitions(scope, retention.messageMonths);
    if (made.length + dropped.length > 0) logger.info({ made, dropped }, "partitions of messages");
    return { counts: { made: made.length, dropped: dropped.length } };
  };
}
