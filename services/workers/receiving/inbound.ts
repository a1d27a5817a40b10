import {
  addFetches,
  atomically,
  changeStates,
  completeInbound,
  forPlatform,
  insertInbound,
  lockInbound,
  lockMessages,
  assignInboundIds,
  learnNames,
  releaseOnInbound,
} from "../../../lib/db/index.ts";
import type {
  ChatName,
  IdentifiedMessage,
  InboundMessage,
  NewFetch,
  PlatformScope,
  StateChange,
} from "../../../lib/db/index.ts";
import { emit } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { wakeMerges } from "./identities.ts";
import { drainJournal } from "./journal.ts";
import type { WriteEntries } from "./journal.ts";
import { messageArrived, messageCompleted } from "../events/domain_events.ts";
import { resolveReferences } from "./references.ts";

/** Drains a shard's received messages into Postgres. */
export function inbound(deps: Deps): Handler<"inbound"> {
  const write = inboundWriter(deps);
  return (run) => drainJournal(deps, run, "inbound", write);
}

/** Writes received messages to Postgres, with everything that follows from them. */
export function inboundWriter(deps: Deps): WriteEntries<"inbound"> {
  const scope = forPlatform(deps.db);
  return async (entries, shard) => {
    const { emitted, fetches, outboxes, businesses } = await atomically(scope, async (together) => {
      // Serialises writers per shard: if the lease expires mid-batch, the next holder must see these rows.
      await lockInbound(together, shard);
      // Before the messages: one that came under two names is found to be the same.
      const businesses = await learnNames(together, entries.flatMap(namesIn));
      const { fresh, completing } = await assignInboundIds(together, entries.map(inboundMessage));
      const { messages, forged } = await resolveReferences(together, fresh);
      if (forged > 0) deps.metrics.forgedChanges(forged);
      const inserted = new Set((await insertInbound(together, messages)).map(({ id }) => id));
      const stored = messages.filter(({ id }) => inserted.has(id));
      const news = stored.filter(({ from_me }) => !from_me);
      const resolved = completing.length > 0 ? (await resolveReferences(together, completing)).messages : [];
      await lockChanged(together, stored, resolved, news);
      const completedIds = new Set(await completeInbound(together, resolved));
      const completed = resolved.filter(({ id }) => completedIds.has(id));
      await changeStates(together, [...stored, ...completed].flatMap(stateChangeOf));
      const fetches = [...stored, ...completed].flatMap((message) => fetchOf(message.id, message));
      await addFetches(together, fetches);
      const outboxes = await releaseOnInbound(together, news);
      const emitted = await emit(together, [
        ...stored.map((message) => messageArrived(message.id, message)),
        ...completed.map((message) => messageCompleted(message.id, message)),
      ]);
      return { emitted, fetches, outboxes, businesses };
    });
    // Best effort: the sweep retries lost wake-ups.
    await Promise.allSettled([
      deps.publishEvents(emitted),
      wakeMerges(deps, businesses),
      ...[...new Set(fetches.map(({ business_id }) => business_id))].map((business_id) =>
        // Expedited: the job may wait for the next attempt at an earlier file.
        deps.producer.wake("fetch_media", { business_id }, { expedite: true }),
      ),
      ...outboxes.map(({ business_id, of_broadcasts }) =>
        deps.producer.wake(of_broadcasts ? "send_broadcasts" : "send", { business_id }),
      ),
    ]);
  };
}

/** Locks the stored messages that this batch changes: completed ones, targets of changes, and released ones. */
async function lockChanged(
  scope: PlatformScope,
  stored: readonly IdentifiedMessage[],
  completing: readonly IdentifiedMessage[],
  news: readonly IdentifiedMessage[],
): Promise<void> {
  const targets = [...stored, ...completing].flatMap(stateChangeOf).map(({ target_id }) => target_id);
  // `releaseOnInbound` alone locks in order by itself.
  if (targets.length + completing.length === 0) return;
  await lockMessages(scope, { ids: [...targets, ...completing.map(({ id }) => id)], pacedIn: news });
}

function stateChangeOf({ business_id, content, from_me, sender, at }: IdentifiedMessage): StateChange[] {
  if (!content || !("target" in content) || content.target.id === undefined) return [];
  return [{ business_id, target_id: content.target.id, content, sender: from_me ? null : sender, at }];
}

/** The file to fetch for a message of either side. */
function fetchOf(message_id: string, { business_id, content }: InboundMessage): NewFetch[] {
  if (!content || !("media" in content) || content.media.pointer === undefined) return [];
  return [{ message_id, business_id, kind: content.type, pointer: content.media.pointer }];
}

function namesIn({ business_id, at, data }: JournalEntry<"inbound">): ChatName[] {
  return (data.names ?? []).map((name) => ({ business_id, at, ...name }));
}

function inboundMessage({ business_id, data }: JournalEntry<"inbound">): InboundMessage {
  return {
    business_id,
    wa_message_id: data.wa_message_id,
    chat: data.chat,
    sender: data.sender,
    from_me: data.from_me,
    push_name: data.push_name,
    at: new Date(data.timestamp),
    type: data.type,
    text: data.text,
    content: data.content,
    trace: data.trace,
  };
}
