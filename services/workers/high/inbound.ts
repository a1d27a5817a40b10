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
  };
}
