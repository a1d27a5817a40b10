import { until } from "../../../../lib/testing/until.ts";
import { patienceMs } from "./patience.ts";
import type { Stage } from "./stage.ts";

/** Waits until no message is in flight: in the outbox, in WhatsApp's mailboxes or in the journal. */
export async function settled({
  shard,
  simulator,
  owner,
}: Pick<Stage, "shard" | "simulator" | "owner">): Promise<void> {
  const wait = (what: string, condition: () => Promise<boolean>) =>
    until(condition, { what, deadlineMs: patienceMs, everyMs: 250 });
  await wait("the outbox to be empty", async () => {
    const [row] = await owner<[{ count: number }]>`
      select count(*)::integer as count from messages where status = 'queued'`;
    return row.count === 0;
  });
  await wait("WhatsApp's mailboxes to be empty", async () => (await simulator.stats())["mail"] === 0);
  await wait("the journal to be empty", async () => {
    const pages = await Promise.all(
      (["inbound", "receipts", "identities"] as const).map((stream) =>
        shard.client.readJournal(shard.location, stream),
      ),
    );
    return pages.every(({ through }) => through === null);
  });
}
