import { sharedDate } from "../../../lib/core/time.ts";
import { forBusiness, rekeyMessages, settleAlias, unmergedAliases } from "../../../lib/db/index.ts";
import type { MergedChat } from "../../../lib/db/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { Event } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { takeTurn } from "../turn.ts";
import type { Step, TurnOptions } from "../turn.ts";

/** Messages of one transaction: it locks their rows, which receipts and sends wait for. */
const batchSize = 500;
/** Aliases looked up at once. */
const maxAliases = 100;
/** A long history yields after this many steps, so that other jobs get their turn. */
const limit = { steps: 50, ms: 5_000 };
const heldMs = 1_000;
const retryDelay = { baseMs: 500, maxMs: 15_000 };

type Counts = { rekeyed: number; merged: number };

/** Writes the messages of chats that turned out to be one under one chat, batch after batch. */
export function mergeChats(deps: Deps): Handler<"merge_chats"> {
  return (run) => {
    const { business_id } = run.payload;
    const scope = forBusiness(deps.db, business_id);
    const counts: Counts = { rekeyed: 0, merged: 0 };
    const options: TurnOptions<Counts> = {
      lease: `prosaas:lease:merge_chats:${business_id}`,
      heldMs,
      counts,
      hasProgressed: () => counts.rekeyed + counts.merged > 0,
      limit,
      retryDelay,
    };
    return takeTurn(deps, run, options, async (turn) => {
      const aliases = [...(await unmergedAliases(scope, maxAliases))];
      return turn.repeat(async (): Promise<Step> => {
        const [name] = aliases;
        if (name === undefined) return "done";
        const rekeyed = await rekeyMessages(scope, name, { limit: batchSize });
        counts.rekeyed += rekeyed;
        // A statement that waited for a lock may have skipped rows: an alias is settled once nothing is left.
        if (rekeyed > 0) return "more";
        await commitWithEvents(deps.publishEvents, scope, async (inside) => {
          const merged = await settleAlias(inside, name);
          return { result: undefined, events: merged ? [chatMerged(business_id, merged)] : [] };
        });
        counts.merged += 1;
        aliases.shift();
        return "more";
      });
    });
  };
}

function chatMerged(business_id: string, { alias, chat, rekeyed }: MergedChat): Event<"chat.merged"> {
  return { name: "chat.merged", business_id, chat, at: sharedDate(), data: { chat, alias, messages: rekeyed } };
}
