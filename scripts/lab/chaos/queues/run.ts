import { until } from "../../../../lib/testing/until.ts";
import { ChatLog } from "../../rig/chat_log.ts";
import { makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Platform } from "../../rig/platform.ts";
import { compareScreens, deliveriesOf, undelivered } from "./accounts.ts";
import { runKilledBroadcast } from "./campaign.ts";
import type { CampaignPlan } from "./campaign.ts";
import { post } from "./posts.ts";
import { startEndpoint } from "./endpoint.ts";
import { clockFile, flush, injectFaults } from "./faults.ts";

export type ChaosPlan = {
  folder: string;
  /** WORKER_GROUP of each worker. */
  groups?: readonly string[];
  businesses: number;
  /** Posted while faults are injected; each causes one webhook delivery. */
  messages: number;
  /** Messages a second. */
  rate: number;
  /** Posted while no worker runs, before Redis is flushed. */
  pending: number;
  campaign: CampaignPlan;
  say: (line: string) => void;
};

/** Two workers of each group, so that one takes over when the other dies. */
const twoOfEach = ["high", "high", "default", "default", "low", "low"];

/** Longest time until everything is processed after the last fault; some retries wait for half a minute. */
const settleMs = 240_000;

/** Injects faults while messages are posted, and accounts for every message. */
export async function runChaos({
  folder,
  groups = twoOfEach,
  businesses,
  messages,
  rate,
  pending,
  campaign,
  say,
}: ChaosPlan) {
  const workers = groups.map((group, n) => ({
    group,
    env: { CLOCK_FILE: clockFile(folder, n) },
    preload: "./scripts/lab/rig/stepping_clock.ts",
  }));
  const platform = await startPlatform({ folder, workers });
  const endpoint = startEndpoint();
  try {
    const customers = await platform.enroll(makeBusinesses(businesses, 8));
    const [broadcaster, ...senders] = customers;
    for (const { id } of senders) await platform.webhook(id, endpoint.url, ["message.delivered"]);
    say(`${businesses} businesses paired`);
    const accepted = new ChatLog();
    const load = { apiUrl: platform.apis[0]!.url, customers: senders, rate, accepted };

    const faults = injectFaults(platform, folder, say);
    await post({ ...load, messages, label: "chaos" });
    const tally = await faults.stop();
    say(`${messages} messages accepted; ${JSON.stringify(tally)}`);
    await settled(platform, say);

    const unsent = await flushPending(platform, () => post({ ...load, messages: pending, label: "pending" }), say);
    const sent = await compareScreens(platform, accepted);
    const deliveries = await deliveriesOf(platform, endpoint.taken);

    const low = platform.workers.filter((_, n) => groups[n] === "low");
    const recipients = await runKilledBroadcast(platform, broadcaster!, low, campaign);
    const reached = await compareScreens(platform, recipients);
    return {
      messages: sent.sent,
      lost: sent.lost,
      duplicates: sent.duplicates + sent.foreign,
      disordered_chats: sent.disordered,
      deliveries: deliveries.total,
      deliveries_unaccounted: messages + pending - deliveries.delivered - deliveries.dead,
      deliveries_dead: deliveries.dead,
      pending_after_flush_unsent: unsent,
      ...tally,
      broadcast_recipients: reached.sent,
      broadcast_kills: campaign.kills,
      broadcast_lost: reached.lost,
      broadcast_duplicates: reached.duplicates + reached.foreign,
    };
  } finally {
    await endpoint.stop();
    await platform.stop();
  }
}

/** Waits until every message is delivered and no webhook delivery is pending. A timeout is only logged. */
async function settled(platform: Platform, say: (line: string) => void): Promise<void> {
  const began = performance.now();
  const left = async () => {
    const [row] = await platform.owner<[{ count: number }]>`
      select count(*)::integer as count from webhook_deliveries where status = 'pending'`;
    return { messages: await undelivered(platform), deliveries: row.count };
  };
  const none = async () => Object.values(await left()).every((count) => count === 0);
  await until(none, { deadlineMs: settleMs, everyMs: 250, what: "everything to settle" }).catch(async () => {
    say(`not settled: ${JSON.stringify(await left())}`);
  });
  say(`settled after ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** Accepts messages while no worker runs and flushes Redis; returns how many were not sent afterwards. */
async function flushPending(
  platform: Platform,
  accept: () => Promise<void>,
  say: (line: string) => void,
): Promise<number> {
  await Promise.all(platform.workers.map((worker) => worker.stop()));
  await accept();
  const waiting = await undelivered(platform);
  await flush(platform.redis.address);
  for (const worker of platform.workers) worker.start();
  say(`${waiting} messages were pending when Redis was flushed`);
  await settled(platform, say);
  return undelivered(platform);
}
