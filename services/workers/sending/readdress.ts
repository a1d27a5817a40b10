import { aliasesAmong, failDuplicates, learnNames, lockMessages, rekeyMessages } from "../../../lib/db/index.ts";
import type { BusinessScope, PendingMessage, StatusChange } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { recordStatusChanges } from "../events/record_changes.ts";
import { wakeMerges } from "../receiving/identities.ts";
import type { Renamed } from "./outcome.ts";

/** Queued messages of one chat that are readdressed at once. The next claim readdresses the others. */
const limit = 1_000;

/**
 * Writes messages under the chats of their recipients' accounts before they are sent: opt-outs and the other recipients
 * of a broadcast are compared by account. The urgent outbox leaves a broadcast's messages to the broadcast outbox,
 * which may have them in flight, and which readdresses them at its next claim (`readdressKnown`).
 */
export async function readdress(
  deps: Deps,
  scope: BusinessScope,
  renamed: readonly Renamed[],
  { ofBroadcasts }: { ofBroadcasts: boolean },
): Promise<void> {
  const names = [...new Map(renamed.map(({ alias, chat }) => [alias, { alias, chat }])).values()];
  const business_id = scope.businessId;
  const businesses = await recordStatusChanges(deps, scope, async (inside) => {
    const learned = await learnNames(
      inside,
      names.map((name) => ({ business_id, ...name })),
    );
    const aliases = names.map(({ alias }) => alias);
    if (ofBroadcasts) return { result: learned, changes: await rewrite(inside, aliases) };
    await rekey(inside, aliases, "urgent");
    return { result: learned, changes: [] };
  });
  await wakeMerges(deps, businesses);
}

/**
 * Writes a broadcast's messages under the chats of their recipients' accounts if other names of them became known. The
 * merge of chats leaves these messages to the broadcast outbox. True if there were any.
 */
export async function readdressKnown(
  deps: Deps,
  scope: BusinessScope,
  messages: readonly Pick<PendingMessage, "chat">[],
): Promise<boolean> {
  const known = await aliasesAmong(scope, [...new Set(messages.map(({ chat }) => chat))]);
  if (known.length === 0) return false;
  await recordStatusChanges(deps, scope, async (inside) => ({
    result: undefined,
    changes: await rewrite(
      inside,
      known.map(({ alias }) => alias),
    ),
  }));
  return true;
}

/** The caller holds the lease of the broadcast outbox. */
async function rewrite(scope: BusinessScope, aliases: readonly string[]): Promise<StatusChange[]> {
  const chats = await rekey(scope, aliases, "both");
  return failDuplicates(scope, chats);
}

/** Returns the chats of these aliases, under which the messages are now. */
async function rekey(scope: BusinessScope, aliases: readonly string[], queued: "urgent" | "both"): Promise<string[]> {
  const names = await aliasesAmong(scope, aliases, { lock: true });
  const chats = [...new Set(names.map(({ chat }) => chat))];
  const business_id = scope.businessId;
  await lockMessages(scope, { queuedIn: [...aliases, ...chats].map((chat) => ({ business_id, chat })) });
  for (const name of names) await rekeyMessages(scope, name, { limit, queued });
  return chats;
}
