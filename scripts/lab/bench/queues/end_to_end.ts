import { until } from "../../../../lib/testing/until.ts";
import { load } from "../../rig/https_load.ts";
import { sendRequest } from "./stage.ts";
import type { Stage } from "./stage.ts";

export type EndToEnd = { perMinute: number; acceptedPerMinute: number };

/** Requests in flight: more than enough to keep the API busy. */
const connections = 32;

/**
 * Sends `messages` over all businesses as fast as the API accepts them. The time ends when Postgres has the delivery
 * receipt of the last one.
 */
export async function measureEndToEnd(
  { platform, edge, customers }: Stage,
  messages: number,
  label: string,
): Promise<EndToEnd> {
  const before = await delivered(platform);
  const began = performance.now();
  const accepted = await load({
    port: edge.httpsPort,
    connections,
    seconds: 600,
    requests: messages,
    make: (n) => {
      const customer = customers[n % customers.length]!;
      const to = customer.contacts[Math.floor(n / customers.length) % customer.contacts.length]!;
      return sendRequest(customer, to, `${label} ${n}`);
    },
  });
  if (accepted.failures > 0)
    throw new Error(`${accepted.failures} requests failed: ${JSON.stringify(accepted.statuses)}`);
  const acceptedMs = performance.now() - began;
  await until(async () => (await delivered(platform)) - before >= accepted.requests, {
    deadlineMs: 300_000,
    everyMs: 100,
    what: "the delivery receipt of every message",
  });
  const ms = performance.now() - began;
  return { perMinute: (accepted.requests / ms) * 60_000, acceptedPerMinute: (accepted.requests / acceptedMs) * 60_000 };
}

async function delivered({ owner }: Stage["platform"]): Promise<number> {
  const [row] = await owner<[{ count: number }]>`
    select count(*)::integer as count from messages where direction = 'outbound' and delivered_at is not null`;
  return row.count;
}
