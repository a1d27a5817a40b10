import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { screenTexts } from "../../rig/chat_log.ts";
import type { ChatLog } from "../../rig/chat_log.ts";
import type { Platform } from "../../rig/platform.ts";

/** Compares what the phones of all contacts show with the accepted messages. */
export const compareScreens = async ({ simulator }: Platform, { chats }: ChatLog): Promise<Comparison> =>
  compareChats(chats, await screenTexts(simulator, chats.keys()));

/** Counts outbound messages without a delivery receipt. */
export async function undelivered({ owner }: Platform): Promise<number> {
  const [row] = await owner<[{ count: number }]>`
    select count(*)::integer as count from messages where direction = 'outbound' and delivered_at is null`;
  return row.count;
}

export type Deliveries = { total: number; delivered: number; dead: number; unaccounted: number };

/** Counts webhook deliveries by outcome; a delivered one counts only if its endpoint took it. */
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
