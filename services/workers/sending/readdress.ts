import { failDuplicates, learnNames, rekeyMessages } from "../../../lib/db/index.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { recordStatusChanges } from "../events/record_changes.ts";
import { wakeMerges } from "../receiving/identities.ts";
import type { Renamed } from "./outcome.ts";

/** Queued messages of one chat that are readdressed at once. The merge of the chats readdresses the others. */
const limit = 1_000;

/**
 * Writes messages under the chats of their recipients' accounts before they are sent: opt-outs and the other recipients
 * of a broadcast are compared by account.
 */
export async function readdress(deps: Deps, scope: BusinessScope, renamed: readonly Renamed[]): Promise<void> {
  const names = [...new Map(renamed.map(({ alias, chat }) => [alias, { alias, chat }])).values()];
  const business_id = scope.businessId;
  const businesses = await recordStatusChanges(deps, scope, async (inside) => {
    const learned = await learnNames(
      inside,
      names.map((name) => ({ business_id, ...name })),
    );
    for (const name of names) {
      if (name.alias !== name.chat) await rekeyMessages(inside, name, { limit, onlyQueued: true });
    }
    return {
      result: learned,
      changes: await failDuplicates(
        inside,
        names.map(({ chat }) => chat),
      ),
    };
  });
  await wakeMerges(deps, businesses);
}
