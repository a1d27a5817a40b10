import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ChatLog, screenTexts } from "../../rig/chat_log.ts";
import { compareChats } from "../../rig/comparison.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { deliver } from "../../rig/batch_sender.ts";
import { readJournal } from "../../rig/journal_reader.ts";
import { makeBusinesses, pairAll } from "../../rig/pairing.ts";
import { postgresServer } from "../../rig/postgres.ts";
import { settled } from "../../rig/settled.ts";
import { ShardProcess } from "../../rig/shard.ts";
import { startShardRig } from "../../rig/shard_rig.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { textOutboxes } from "./outboxes.ts";
import { perMinute } from "./plan.ts";

export const durabilities = ["local", "copied", "required"] as const;
type Mode = (typeof durabilities)[number];

export type DurabilityPlan = {
  /** Of each shard. */
  sessions: number;
  /** Messages of one round. */
  messages: number;
  contacts: number;
  connections: number;
  rounds: number;
  folder: string;
  say: (line: string) => void;
};

export type DurabilityResult = {
  /** The median round. */
  perMinute: Record<Mode, number>;
  cpuMsPerMessage: Record<Mode, number>;
  comparison: Comparison;
};

/**
 * Measures what copying costs: one shard for each setting, the same messages, in rounds that alternate between them, so
 * that other work of the machine disturbs each alike. Postgres syncs its commits.
 */
export async function measureDurability(plan: DurabilityPlan): Promise<DurabilityResult> {
  const { folder, say, sessions, contacts, rounds } = plan;
  const rig = await startShardRig({ folder, shards: 0 });
  // The user of the database server must reach its files.
  await chmod(folder, 0o755);
  const postgres = await postgresServer(folder, { fsync: "on" });
  const { simulator } = rig;
  const sent = new ChatLog();
  const all = makeBusinesses(sessions * durabilities.length, contacts);
  const shards: { mode: Mode; shard: ShardProcess; businesses: typeof all; results: Round[] }[] = [];
  const readers: { stop(): Promise<void> }[] = [];
  try {
    await mkdir(join(folder, "copies"));
    for (const [n, mode] of durabilities.entries()) {
      const shard = await ShardProcess.create({
        folder,
        number: n + 1,
        simulator,
        redis: rig.redis.address,
        consul: rig.consul.address,
        env: {
          WA_DURABILITY: mode,
          DATABASE_URL_POOLER: postgres.shardsUrl,
          STORAGE_URL: `file://${join(folder, "copies")}`,
        },
      });
      const businesses = all.slice(n * sessions, (n + 1) * sessions);
      shards.push({ mode, shard, businesses, results: [] });
      shard.start();
      await shard.ready();
      await pairAll(shard, simulator, businesses);
      for (const stream of ["inbound", "receipts", "events", "identities"] as const)
        readers.push(readJournal(shard, stream, () => {}));
      say(`${mode}: ${businesses.length} paired`);
    }
    for (let round = 0; round <= rounds; round++) {
      for (const { mode, shard, businesses, results } of shards) {
        const result = await measureRound(plan, { shard, businesses, sent, label: `${mode} ${round}` });
        await settled(simulator);
        // The first round warms up.
        if (round > 0) results.push(result);
        const { perMinute: rate, cpuMs } = result;
        say(`${mode}, round ${round}: ${Math.round(rate)}/min, ${cpuMs.toFixed(2)} ms of CPU a message`);
      }
    }
    await Promise.all(readers.map((reader) => reader.stop()));
    const median = (values: number[]) => quantile(values, 0.5);
    const byMode = (value: (round: Round) => number) =>
      Object.fromEntries(shards.map(({ mode, results }) => [mode, median(results.map(value))])) as Record<Mode, number>;
    return {
      perMinute: byMode((round) => round.perMinute),
      cpuMsPerMessage: byMode((round) => round.cpuMs),
      comparison: compareChats(sent.chats, await screenTexts(simulator, sent.chats.keys())),
    };
  } finally {
    await Promise.all(shards.map(({ shard }) => shard.stop()));
    await rig.stop();
    await postgres.stop();
  }
}

type Round = { perMinute: number; cpuMs: number };
type RoundOf = { shard: ShardProcess; businesses: ReturnType<typeof makeBusinesses>; sent: ChatLog; label: string };

async function measureRound(plan: DurabilityPlan, { shard, businesses, sent, label }: RoundOf): Promise<Round> {
  const each = Math.max(1, Math.round(plan.messages / businesses.length));
  const outboxes = textOutboxes(businesses, { label, each, sent });
  const before = shard.usage();
  const began = performance.now();
  const delivered = await deliver(shard, outboxes, plan.connections);
  const ms = performance.now() - began;
  if (delivered.failed.length > 0) throw new Error(`${delivered.failed.length} messages failed`);
  return {
    perMinute: perMinute(delivered.sent, ms),
    cpuMs: (shard.usage().cpuMs - before.cpuMs) / delivered.sent,
  };
}
