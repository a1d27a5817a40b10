import { compareChat, addComparisons, nothingCompared } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Platform } from "../../rig/platform.ts";
import type { Accepted } from "./crowd.ts";

/** What the phones of all contacts show, beside what was accepted for them. */
export async function compareScreens({ simulator }: Platform, accepted: Accepted): Promise<Comparison> {
  let sum = nothingCompared;
  await eachOf([...accepted], 16, async ([contact, texts]) => {
    const { data } = await simulator.screen(contact);
    sum = addComparisons(
      sum,
      compareChat(
        texts,
        data.map(({ text }) => text ?? ""),
      ),
    );
  });
  return sum;
}

/** Messages that are not where they should be in the end. */
export async function undelivered({ owner }: Platform): Promise<number> {
  const [row] = await owner<[{ count: number }]>`
    select count(*)::integer as count from messages where direction = 'outbound' and delivered_at is null`;
  return row.count;
}

export type Deliveries = { total: number; delivered: number; dead: number; unaccounted: number };

/** What became of the deliveries of webhooks: one that counts as delivered must have been taken by its endpoint. */
export async function deliveriesOf({ owner }: Platform, taken: ReadonlyMap<string, number>): Promise<Deliveries> {
  const rows = await owner<{ id: string; status: string }[]>`select id, status from webhook_deliveries`;
  const count = { total: rows.length, delivered: 0, dead: 0, unaccounted: 0 };
  for (const { id, status } of rows) {
    if (status === "delivered" && taken.has(id)) count.delivered += 1;
    else if (status === "dead") count.dead += 1;
    else count.unaccounted += 1;
  }
  return count;
}
