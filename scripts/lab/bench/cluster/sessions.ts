import { until } from "../../../../lib/testing/until.ts";
import { deliver } from "../../rig/batch_sender.ts";
import { ChatLog, ReceivedLog, screenTexts } from "../../rig/chat_log.ts";
import { addComparisons, compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { readJournal } from "../../rig/journal_reader.ts";
import { linkAll } from "../../rig/linked_stores.ts";
import { eachOf, makeBusinesses } from "../../rig/pairing.ts";
import type { Business } from "../../rig/pairing.ts";
import { settled } from "../../rig/settled.ts";
import type { ShardProcess } from "../../rig/shard.ts";
import { startShardRig } from "../../rig/shard_rig.ts";
import type { ShardRig } from "../../rig/shard_rig.ts";
import { textOutboxes } from "../shard/outboxes.ts";
import { MemoryWatch } from "./memory.ts";
import type { Sessions } from "./memory.ts";

export type SessionsResult = {
  /** After the restart of all shards. */
  open: number;
  /** From the start of the first shard until all sessions were open. */
  openS: number;
  /** From kill -9 of all shards until all sessions were open. */
  reopenS: number;
  /** Resident memory of all shards, without the simulator, after the messages. */
  shardsMb: number;
  kbPerSession: number;
  /** Resident memory of a shard without sessions. */
  idleMb: number;
  simulatorMb: number;
  /** The least memory that the machine had available. */
  availableMbMin: number;
  /** From the first batch until every message was shown and acknowledged. */
  messagesS: number;
  /** On the receivers' phones and in the journals of their shards. */
  comparison: Comparison;
};

/** A shard and the businesses on it. */
type Home = { shard: ShardProcess; businesses: Business[] };

/** Shards that open their sessions at once, before a restart: one for each core of a small machine. */
const shardsAtOnce = 2;
/** Batches in flight to each shard. */
const connections = 4;
const openMs = 900_000;

/**
 * Opens sessions on real shards, kills all shards at once, and sends a message from each session to the next one's
 * account, which shows it on its phone and gets it in its session.
 */
export async function measureSessions(
  plan: Sessions,
  { folder, say }: { folder: string; say: (line: string) => void },
): Promise<SessionsResult> {
  const rig = await startShardRig({
    folder,
    shards: plan.shards,
    // Unless it knows a limit, JavaScriptCore lets the heap grow by the memory of the machine.
    simulator: { BUN_JSC_forceRAMSize: String(6 * 2 ** 30) },
  });
  let opened = 0;
  const memory = new MemoryWatch(() => `${opened} sessions were open`);
  try {
    return await memory.guard(measure());
  } finally {
    memory.stop();
    await rig.stop();
  }

  async function measure(): Promise<SessionsResult> {
    const idleMb = await idleMemory(rig.shards[0]!);
    const homes = await populate(rig, plan.sessions);
    say(`${plan.sessions} sessions are linked on ${plan.shards} shards`);

    let began = performance.now();
    await eachOf(homes, shardsAtOnce, async ({ shard, businesses }) => {
      shard.start();
      await shard.ready();
      await allOpen(shard, businesses.length);
      opened += businesses.length;
      say(`${opened} sessions are open`);
    });
    const openS = secondsSince(began);

    began = performance.now();
    await Promise.all(homes.map(({ shard }) => shard.kill()));
    const reopen = async ({ shard, businesses }: Home) => {
      await shard.ready();
      await allOpen(shard, businesses.length);
    };
    await Promise.all(homes.map(reopen));
    const reopenS = secondsSince(began);
    say(`all shards killed: every session is open again after ${reopenS.toFixed(1)} s`);

    began = performance.now();
    const comparison = await exchange(rig, homes);
    const messagesS = secondsSince(began);
    const shardsMb = rig.shards.reduce((sum, shard) => sum + shard.usage().rssMb, 0);
    const counts = await Promise.all(homes.map(({ shard }) => openSessions(shard)));
    return {
      open: counts.reduce((sum, count) => sum + count, 0),
      openS,
      reopenS,
      shardsMb,
      kbPerSession: ((shardsMb - idleMb * plan.shards) * 1024) / plan.sessions,
      idleMb,
      simulatorMb: rig.simulator.child.usage().rssMb,
      availableMbMin: memory.leastMb,
      messagesS,
      comparison,
    };
  }
}

const secondsSince = (began: number) => (performance.now() - began) / 1000;

async function idleMemory(shard: ShardProcess): Promise<number> {
  shard.start();
  await shard.ready();
  const { rssMb } = shard.usage();
  await shard.stop();
  return rssMb;
}

/** Links the businesses, spread over the shards. Each writes to the next one. */
async function populate({ shards, simulator }: ShardRig, sessions: number): Promise<Home[]> {
  const all = makeBusinesses(sessions, 0);
  const chained = all.map((business, i) => ({ ...business, contacts: [all[(i + 1) % all.length]!.phone] }));
  const homes = shards.map((shard, n) => ({ shard, businesses: chained.filter((_, i) => i % shards.length === n) }));
  for (const { shard, businesses } of homes) await linkAll(shard, simulator, businesses);
  return homes;
}

const openSessions = async (shard: ShardProcess): Promise<number> =>
  (await shard.sessions()).filter(({ status }) => status === "open").length;

/** Polls less often than a bench of one shard, because the list of many sessions costs the shard CPU time. */
const allOpen = (shard: ShardProcess, count: number) =>
  until(async () => (await openSessions(shard)) === count, {
    deadlineMs: openMs,
    everyMs: 500,
    what: `${count} open sessions on shard ${shard.location.shard}`,
  });

async function exchange({ simulator }: ShardRig, homes: readonly Home[]): Promise<Comparison> {
  const [sent, received] = [new ChatLog(), new ReceivedLog()];
  await Promise.all(
    homes.map(async ({ shard, businesses }) => {
      const outboxes = textOutboxes(businesses, { label: "each", each: 1, sent });
      const { failed } = await deliver(shard, outboxes, connections);
      if (failed.length > 0) throw new Error(`${failed.length} messages failed, the first with ${failed[0]!.code}`);
    }),
  );
  await settled(simulator);
  const phoneOf = new Map(homes.flatMap(({ businesses }) => businesses.map(({ id, phone }) => [id, phone] as const)));
  await eachOf(homes, shardsAtOnce, async ({ shard }) => {
    await readJournal(shard, "inbound", (entries) => {
      for (const { business_id: id, data } of entries) {
        if (!data.from_me) received.add(phoneOf.get(id)!, data.wa_message_id, data.text ?? "");
      }
    }).stop();
  });
  const shown = await screenTexts(simulator, sent.chats.keys());
  return addComparisons(compareChats(sent.chats, shown), compareChats(sent.chats, received.chats));
}
