import {
  addFetches,
  atomically,
  forPlatform,
  insertInbound,
  lockInbound,
  assignInboundIds,
  releaseOnInbound,
} from "../../../lib/db/index.ts";
import type { InboundMessage, NewFetch } from "../../../lib/db/index.ts";
import { emit } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "./journal.ts";
import { messageReceived } from "../events/domain_events.ts";
import { resolveReferences } from "./references.ts";

/** Drains a shard's received messages into Postgres. */
export function inbound(deps: Deps): Handler<"inbound"> {
  const scope = forPlatform(deps.db);
  return (run) =>
    drainJournal(deps, run, "inbound", async (entries, shard) => {
      const { emitted, fetches, outboxes } = await atomically(scope, async (together) => {
        // Serialises writers per shard: if the lease expires mid-batch, the next holder must see these rows.
        await lockInbound(together, shard);
        const identified = await assignInboundIds(together, entries.map(inboundMessage));
        const messages = await resolveReferences(together, identified);
        const inserted = new Set((await insertInbound(together, messages)).map(({ id }) => id));
        const news = messages.filter(({ id, from_me }) => inserted.has(id) && !from_me);
        const fetches = messages.flatMap((message) => (inserted.has(message.id) ? fetchOf(message.id, message) : []));
        await addFetches(together, fetches);
        const outboxes = await releaseOnInbound(together, news);
        const emitted = await emit(
          together,
          news.map((message) => messageReceived(message.id, message)),
        );
        return { emitted, fetches, outboxes };
      });
      // Best effort: the sweep retries lost wake-ups.
      await Promise.allSettled([
        deps.publishEvents(emitted),
        ...fetches.map(({ business_id, message_id }) => deps.producer.wake("fetch_media", { business_id, message_id })),
        ...outboxes.map(({ business_id, of_broadcasts }) =>
          deps.producer.wake(of_broadcasts ? "send_broadcasts" : "send", { business_id }),
        ),
      ]);
    });
}

/** The file to fetch for a message of either side. */
function fetchOf(message_id: string, { business_id, content }: InboundMessage): NewFetch[] {
  if (!content || !("media" in content) || content.media.pointer === undefined) return [];
  return [{ message_id, business_id, kind: content.type, pointer: content.media.pointer }];
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
  };
}
