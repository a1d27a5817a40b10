import {
  aliasesAmong,
  doubledAmong,
  failDuplicates,
  learnNames,
  lockMessages,
  lockNamesOf,
  rekeyMessages,
} from "../../../lib/db/index.ts";
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
 * Writes a broadcast's messages under the chats of their recipients' accounts if other names of them became known, and
 * fails those that reach an account a second time. The merge of chats leaves these messages to the broadcast outbox.
 * True if any message changed.
 */
export async function readdressKnown(
  deps: Deps,
  scope: BusinessScope,
  messages: readonly Pick<PendingMessage, "id" | "chat" | "broadcast_id">[],
): Promise<boolean> {
  const aliases = await aliasesAmong(scope, [...new Set(messages.map(({ chat }) => chat))]);
  const doubled = new Set(await doubledAmong(scope, messages));
  const chats = messages.filter(({ id }) => doubled.has(id)).map(({ chat }) => chat);
  if (aliases.length + chats.length === 0) return false;
  const failed = await recordStatusChanges(deps, scope, async (inside) => {
    const changes = await rewrite(inside, [...new Set([...aliases, ...chats])]);
    return { result: changes.length, changes };
  });
  return aliases.length + failed > 0;
}

/**
 * The messages without those of broadcasts that reach an account a second time, which the broadcast outbox fails. For
 * the urgent outbox, whose messages stand behind them.
 */
export async function withoutDoubled(scope: BusinessScope, messages: PendingMessage[]): Promise<PendingMessage[]> {
  const doubled = new Set(await doubledAmong(scope, messages));
  return doubled.size === 0 ? messages : messages.filter(({ id }) => !doubled.has(id));
}

/** The caller holds the lease of the broadcast outbox. */
async function rewrite(scope: BusinessScope, names: readonly string[]): Promise<StatusChange[]> {
  return failDuplicates(scope, await rekey(scope, names, "both"));
}

/** Writes queued messages of the accounts that have these names under their chats; returns the chats. */
async function rekey(scope: BusinessScope, names: readonly string[], queued: "urgent" | "both"): Promise<string[]> {
  const known = await lockNamesOf(scope, names);
  const chats = [...new Set(known.map(({ chat }) => chat))];
  const { businessId: business_id } = scope;
  const all = [...known.map(({ alias }) => alias), ...chats];
  await lockMessages(scope, { queuedIn: all.map((chat) => ({ business_id, chat })) });
  for (const name of known) await rekeyMessages(scope, name, { limit, queued });
  return chats;
}
