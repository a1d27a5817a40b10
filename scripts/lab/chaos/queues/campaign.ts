import { until } from "../../../../lib/testing/until.ts";
import { ChatLog } from "../../rig/chat_log.ts";
import { customerApi } from "../../rig/customer_api.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import type { Supervised } from "../../rig/supervised.ts";

export type CampaignPlan = { recipients: number; kills: number; perMinute: number };

/** Runs a broadcast whose workers are killed at random points; returns what every recipient must receive. */
export async function runKilledBroadcast(
  { apis, owner }: Platform,
  customer: Customer,
  workers: readonly Supervised[],
  { recipients, kills, perMinute }: CampaignPlan,
): Promise<ChatLog> {
  const ask = customerApi(apis[0]!.url, customer);
  const phone = (n: number) => String(15_700_000_000 + n);
  const { id } = await ask<{ id: string }>("POST", "/broadcasts", {
    name: "Sale",
    text: "Hello {{name}}",
    per_minute: perMinute,
  });
  const lines = Array.from({ length: recipients }, (_, n) => `${phone(n)},N${n}`);
  await ask("POST", `/broadcasts/${id}/recipients/upload`, `to,name\n${lines.join("\n")}\n`);
  await ask("POST", `/broadcasts/${id}/start`);

  const sent = async () => {
    const [row] = await owner<[{ count: number }]>`
      select count(*)::integer as count from messages where broadcast_id = ${id} and sent_at is not null`;
    return row.count;
  };
  const killPoints = Array.from({ length: kills }, () => Math.floor(Math.random() * recipients * 0.95)).toSorted(
    (a, b) => a - b,
  );
  for (const sentCount of killPoints) {
    await until(async () => (await sent()) >= sentCount, {
      deadlineMs: 300_000,
      everyMs: 50,
      what: `message ${sentCount} of the broadcast`,
    });
    await Promise.all(workers.map((worker) => worker.kill()));
  }
  const completed = async () => (await ask<{ status: string }>("GET", `/broadcasts/${id}`)).status === "completed";
  await until(completed, { deadlineMs: 300_000, everyMs: 250, what: "the broadcast to complete" });
  const expected = new ChatLog();
  for (let n = 0; n < recipients; n++) expected.add(phone(n), `Hello N${n}`);
  return expected;
}
