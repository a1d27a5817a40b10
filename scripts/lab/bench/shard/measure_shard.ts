import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { compareChats } from "../../rig/comparison.ts";
import { ChatLog, screenTexts } from "../../rig/chat_log.ts";
import { deliver } from "../../rig/batch_sender.ts";
import type { Delivered } from "../../rig/batch_sender.ts";
import { readJournal } from "../../rig/journal_reader.ts";
import { pairAll } from "../../rig/pairing.ts";
import { startShardRig } from "../../rig/shard_rig.ts";
import { latencies } from "./latency.ts";
import { textOutboxes } from "./outboxes.ts";
import type { Plan } from "./plan.ts";
import { better, perMinute, perSession, warmUpEach } from "./plan.ts";
import { settled } from "../../rig/settled.ts";

export type ShardResult = {
  perMinute: number;
  cpuMsPerMessage: number;
  openS: number;
  /** From kill -9 until the process listens again, including the supervisor's delay. */
  restartS: number;
  /** From kill -9 until all sessions are open. */
  reopenS: number;
  idleMb: number;
  rssMb: number;
  /** Memory after half as many more messages. */
  rssLaterMb: number;
  p50Ms: number;
  p99Ms: number;
  batchP50Ms: number;
  comparison: Comparison;
};

export type ShardMeasure = {
  /** Batches in flight: as many as the send workers' concurrency allows. */
  connections: number;
  /** Seconds at a steady rate. */
  steadyS: number;
};

export async function measureShard(plan: Plan, { connections, steadyS }: ShardMeasure): Promise<ShardResult> {
  const { businesses, say, folder } = plan;
  const rig = await startShardRig({ folder });
  const { simulator } = rig;
  const shard = rig.shards[0]!;
  const sent = new ChatLog();
  try {
    const started = async () => {
      const began = performance.now();
      shard.start();
      await shard.ready();
      return began;
    };
    await started();
    const idle = shard.usage();
    await pairAll(shard, simulator, businesses);
    say(`shard: ${businesses.length} paired`);
    await shard.stop();
    const began = await started();
    await shard.allOpen(businesses.length);
    const openS = (performance.now() - began) / 1000;
    say(`shard: all open ${openS.toFixed(2)} s after its start`);

    const readers = (["inbound", "receipts", "events", "identities"] as const).map((stream) =>
      readJournal(shard, stream, () => {}),
    );
    const outboxes = (label: string, each: number) => textOutboxes(businesses, { label, each, sent });
    const round = async (label: string, total: number) => {
      const each = perSession(plan, total);
      const messages = outboxes(label, each);
      const before = shard.usage();
      const start = performance.now();
      const delivered = await deliver(shard, messages, connections);
      const ms = performance.now() - start;
      allSent(delivered);
      await settled(simulator);
      const cpuMs = shard.usage().cpuMs - before.cpuMs;
      return {
        perMinute: perMinute(delivered.sent, ms),
        cpuMsPerMessage: cpuMs / delivered.sent,
        batchMs: delivered.batchMs,
      };
    };

    await round("warm", warmUpEach(plan) * businesses.length);
    const first = await round("shard", plan.messages);
    const { rssMb } = shard.usage();
    const measured = better(first, await round("later", plan.messages / 2));
    const { rssMb: rssLaterMb } = shard.usage();
    say(
      `shard: ${Math.round(measured.perMinute)}/min, ` +
        `${measured.cpuMsPerMessage.toFixed(2)} ms of CPU a message, ${Math.round(rssMb)} MB`,
    );
    const steadyMs = await latencies(shard, businesses, measured.perMinute / 60 / 4, steadyS, sent);
    say(
      `shard: single messages at a quarter of that rate: ` +
        `p50 ${quantile(steadyMs, 0.5).toFixed(1)} ms, p99 ${quantile(steadyMs, 0.99).toFixed(1)} ms`,
    );

    const last = outboxes("killed", perSession(plan, Math.min(plan.messages / 2, businesses.length * 50)));
    const total = last.reduce((sum, { messages }) => sum + messages.length, 0);
    const shownBefore = (await simulator.stats())["messages_accepted"]!;
    const delivering = deliver(shard, last, connections);
    await until(async () => (await simulator.stats())["messages_accepted"]! > shownBefore + total / 4, {
      what: "a quarter of the messages",
      everyMs: 5,
    });
    const killed = performance.now();
    await shard.kill();
    await shard.ready();
    const restartS = (performance.now() - killed) / 1000;
    await shard.allOpen(businesses.length);
    const reopenS = (performance.now() - killed) / 1000;
    say(
      `shard: killed in the middle of a batch; ` +
        `listens after ${restartS.toFixed(2)} s, all open after ${reopenS.toFixed(2)} s`,
    );
    allSent(await delivering);
    await settled(simulator);

    await Promise.all(readers.map((reader) => reader.stop()));
    const comparison = compareChats(sent.chats, await screenTexts(simulator, sent.chats.keys()));
    return {
      perMinute: measured.perMinute,
      cpuMsPerMessage: measured.cpuMsPerMessage,
      openS,
      restartS,
      reopenS,
      idleMb: idle.rssMb,
      rssMb,
      rssLaterMb,
      p50Ms: quantile(steadyMs, 0.5),
      p99Ms: quantile(steadyMs, 0.99),
      batchP50Ms: quantile(measured.batchMs, 0.5),
      comparison,
    };
  } finally {
    await rig.stop();
  }
}

function allSent({ failed }: Delivered): void {
  if (failed.length > 0) throw new Error(`${failed.length} messages failed, the first with ${failed[0]!.code}`);
}
