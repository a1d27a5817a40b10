import { forPlatform, insertInbound } from "../../../lib/db/index.ts";
import type { InboundMessage } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/shard-client/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "../journal.ts";

/** Brings what a shard received to Postgres. */
export function inbound(deps: Deps): Handler<"inbound"> {
  const scope = forPlatform(deps.db);
  return (run) =>
    drainJournal(deps, run, "inbound", async (entries) => {
      await insertInbound(scope, entries.map(inboundMessage));
    });
}

/** A row from a journal entry. Postgres has no U+0000 in texts; a sender must not be able to lose a message by it. */
export function inboundMessage({ business_id, data }: JournalEntry<"inbound">): InboundMessage {
  const clean = (text: string | null | undefined) => text?.replaceAll("\u0000", "\uFFFD");
  return {
    business_id,
    wa_message_id: data.wa_message_id,
    chat: data.chat,
    sender: data.sender,
    from_me: data.from_me,
    push_name: clean(data.push_name),
    at: new Date(data.timestamp),
    type: data.type,
    text: clean(data.text),
  };
}
