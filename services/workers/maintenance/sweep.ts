import { forPlatform, listPendingBusinesses } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 500;

/**
 * Wakes every business with messages that could be sent now. Almost always they have been woken already and it costs
 * nothing; after a lost Redis, or a wake-up that failed, this is what sends them.
 */
export function sweep({ db, producer }: Pick<Deps, "db" | "producer">): Handler<"sweep"> {
  const scope = forPlatform(db);
  return async ({ signal }) => {
    let woken = 0;
    let page: string[] = [];
    do {
      signal.throwIfAborted();
      page = await listPendingBusinesses(scope, { after: page.at(-1), limit: pageSize });
      await Promise.all(page.map((business_id) => producer.wake("send", { business_id })));
      woken += page.length;
    } while (page.length === pageSize);
    return { counts: { woken } };
  };
}
