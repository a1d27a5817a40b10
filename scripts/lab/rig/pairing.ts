import { until } from "../../../lib/testing/until.ts";
import type { ShardProcess } from "./shard.ts";
import type { SimulatorProcess } from "./simulator.ts";

/** A business of the rig: its phone and its contacts. */
export type Business = { id: string; phone: string; contacts: string[] };

/** `count` businesses with contacts of their own. */
export function makeBusinesses(count: number, contacts: number): Business[] {
  return Array.from({ length: count }, (_, i) => ({
    id: Bun.randomUUIDv7(),
    phone: String(15_510_000_000 + i),
    contacts: Array.from({ length: contacts }, (_, k) => String(15_520_000_000 + i * contacts + k)),
  }));
}

/** Runs `work` for each item, `width` at a time. */
export async function eachOf<T>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries();
  const lanes = Array.from({ length: width }, async () => {
    for (const [index, item] of entries) await work(item, index);
  });
  await Promise.all(lanes);
}

/** Pairs a simulated phone with each business by QR code. */
export async function pairAll(
  shard: ShardProcess,
  simulator: SimulatorProcess,
  businesses: readonly Business[],
): Promise<void> {
  await eachOf(businesses, 8, async ({ id, phone }) => {
    await simulator.makePhone(phone);
    await shard.client.connect(shard.location, id, { method: "qr" });
    const shown = async () => (await shard.client.view(shard.location, id)).qr;
    await simulator.scan(phone, await until(shown, { deadlineMs: 300_000, what: "a QR code", everyMs: 25 }));
    const opened = async () => (await shard.client.view(shard.location, id)).status === "open";
    await until(opened, { deadlineMs: 300_000, what: "a session to open", everyMs: 25 });
  });
}
