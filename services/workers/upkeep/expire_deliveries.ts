import { expireDeliveries, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 1_000;

/** Marks expired deliveries dead, also those of paused and disabled endpoints: each ends delivered or dead. */
export function expireDeliveriesJob({ db }: Pick<Deps, "db">): Handler<"expire_deliveries"> {
  const scope = forPlatform(db);
  return async ({ signal }) => {
    let expired = 0;
    for (;;) {
      signal.throwIfAborted();
      const page = await expireDeliveries(scope, pageSize);
      expired += page;
      if (page < pageSize) return { counts: { expired } };
    }
  };
}
