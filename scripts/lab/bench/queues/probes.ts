import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import { runLoad } from "../../rig/load.ts";
import type { Customer } from "../../rig/platform.ts";
import { throughEdge } from "./stage.ts";
import type { Stage } from "./stage.ts";

export type Latency = { count: number; p50Ms: number; p99Ms: number; maxMs: number };

/** Probes a second: too few to load the system. */
const perSecond = 20;

/**
 * Sends single messages at a steady rate, each like a one-time password. Latency counts from the moment a message was
 * due until WhatsApp's acknowledgement; all processes share this machine's clock.
 */
export async function probe(
  stage: Stage,
  customers: readonly Customer[],
  seconds: number,
  label: string,
): Promise<Latency> {
  const epoch = Date.now() - performance.now();
  const posted: { id: string; due: number }[] = [];
  const post = async (n: number, dueMs: number) => {
    const customer = customers[n % customers.length]!;
    const to = customer.contacts[Math.floor(n / customers.length) % customer.contacts.length]!;
    const message = { to, type: "text", text: `${label} ${n}` };
    const { id } = await throughEdge(stage, customer)<{ id: string }>("POST", "/messages", message);
    posted.push({ id, due: epoch + dueMs });
  };
  await runLoad({ perSecond, jobsAt: (n, dueMs) => [{ run: () => post(n, dueMs) }] }, seconds * perSecond);
  const ids = posted.map(({ id }) => id);
  const acknowledged = await until(
    async () => {
      const rows = await stage.platform.owner<{ id: string; sent_ms: number }[]>`
        select id, (extract(epoch from sent_at) * 1000)::float8 as sent_ms
        from messages where id = any(${ids}::uuid[]) and sent_at is not null`;
      return rows.length === ids.length ? new Map(rows.map((row) => [row.id, row.sent_ms])) : undefined;
    },
    { deadlineMs: 60_000, everyMs: 250, what: "every probe to be acknowledged" },
  );
  const times = posted.map(({ id, due }) => acknowledged.get(id)! - due);
  return { count: times.length, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), maxMs: Math.max(...times) };
}
