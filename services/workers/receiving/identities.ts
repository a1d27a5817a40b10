import { atomically, forPlatform, learnNames, lockInbound } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "./journal.ts";
import type { WriteEntries } from "./journal.ts";

/** Drains the names of accounts that a shard learned into Postgres. */
export function identities(deps: Deps): Handler<"identities"> {
  const write = identitiesWriter(deps);
  return (run) => drainJournal(deps, run, "identities", write);
}

/** Writes the names of accounts to Postgres, and has chats merged. */
export function identitiesWriter(deps: Deps): WriteEntries<"identities"> {
  const scope = forPlatform(deps.db);
  return async (entries, shard) => {
    const names = entries.flatMap(({ business_id, at, data }) =>
      data.names.map((name) => ({ business_id, at, ...name })),
    );
    const businesses = await atomically(scope, async (together) => {
      // Received messages are written under the names that are known: neither sees half of the other.
      await lockInbound(together, shard);
      return learnNames(together, names);
    });
    await wakeMerges(deps, businesses);
  };
}

/** Best effort: the sweep retries lost wake-ups. */
export async function wakeMerges({ producer }: Pick<Deps, "producer">, businesses: readonly string[]): Promise<void> {
  await Promise.allSettled(businesses.map((business_id) => producer.wake("merge_chats", { business_id })));
}
