import { applyGroupReceipts, applyReceipts, forPlatform } from "../../../lib/db/index.ts";
import type { GroupReceipt, PlatformScope, Receipt, StatusChange } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "./journal.ts";
import type { WriteEntries } from "./journal.ts";
import { recordStatusChanges } from "../events/record_changes.ts";

/** Drains a shard's receipts into Postgres. */
export function receipts(deps: Deps): Handler<"receipts"> {
  const write = receiptsWriter(deps);
  return (run) => drainJournal(deps, run, "receipts", write);
}

/**
 * Applies receipts to the messages in Postgres: those of groups in a transaction of their own, because each transaction
 * locks messages in order of id. Both are idempotent, so that a failed second one repeats the first.
 */
export function receiptsWriter(deps: Deps): WriteEntries<"receipts"> {
  const scope = forPlatform(deps.db);
  const write = async <E>(entries: E[], apply: (scope: PlatformScope, entries: E[]) => Promise<StatusChange[]>) => {
    if (entries.length === 0) return;
    await recordStatusChanges(deps, scope, async (inside) => ({
      result: undefined,
      changes: await apply(inside, entries),
    }));
  };
  return async (entries) => {
    const direct = entries.filter((entry) => !isGroups(entry)).map(receipt);
    await write(direct, async (inside, receipts) => (await applyReceipts(inside, receipts)).changed);
    await write(entries.filter(isGroups).map(groupReceipt), applyGroupReceipts);
  };
}

type Entry = JournalEntry<"receipts">;
type GroupEntry = Entry & { data: { member: string } };

const isGroups = (entry: Entry): entry is GroupEntry => entry.data.member != null;

function groupReceipt({ business_id, data }: GroupEntry): GroupReceipt {
  return {
    business_id,
    wa_message_id: data.wa_message_id,
    member: data.member,
    // A voice note that was played was read.
    status: data.status === "delivered" ? "delivered" : "read",
    at: new Date(data.at),
    recipients: data.recipients ?? null,
  };
}

function receipt({ business_id, data }: JournalEntry<"receipts">): Receipt {
  return {
    business_id,
    wa_message_id: data.wa_message_id,
    status: data.status,
    at: new Date(data.at),
    error_code: data.error?.code,
    error_message: data.error?.message,
  };
}
