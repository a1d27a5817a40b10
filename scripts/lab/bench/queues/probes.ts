import { until } from "../../../../lib/testing/until.ts";
import { quantile } from "../../../cli/operator/table.ts";
import type { Customer } from "../../rig/platform.ts";
import { throughEdge } from "./stage.ts";
import type { Stage } from "./stage.ts";

export type Latency = { count: number; p50Ms: number; p99Ms: number; maxMs: number };

/** Probes a second: each finds the system as it is, and together they are no load. */
const perSecond = 20;

/**
 * Sends single messages at a steady rate for `seconds`, each like a one-time password: from the moment it was due to be
 * posted to WhatsApp's acknowledgement. All processes share this machine's clock.
 */
export async function probe(
  stage: Stage,
  customers: readonly Customer[],
  seconds: number,
  label: string,
): Promise<Latency> {
  const began = Date.now();
  const posts = Array.from({ length: seconds * perSecond }, async (_, n) => {
    const due = began + (n * 1000) / perSecond;
    await Bun.sleep(due - Date.now());
    const customer = customers[n % customers.length]!;
    const to = customer.contacts[Math.floor(n / customers.length) % customer.contacts.length]!;
    const message = { to, type: "text", text: `${label} ${n}` };
    const { id } = await throughEdge(stage, customer)<{ id: string }>("POST", "/messages", message);
    return { id, due };
  });
  const posted = await Promise.all(posts);
  const ids = posted.map(({ id }) => id);
  const acknowledged = await until(
    async () => {
      const rows = await stage.platform.owner<{ id: string; sent_ms: number }[]>`
        select id, (extract(epoch from sent_at) * 1000)::float8 as sent_ms from messages where id = any(${ids}::uuid[]) and sent_at is not null`;
      return rows.length === ids.length ? new Map(rows.map((row) => [row.id, row.sent_ms])) : undefined;
    },
    { deadlineMs: 60_000, everyMs: 250, what: "every probe to be acknowledged" },
  );
  const times = posted.map(({ id, due }) => acknowledged.get(id)! - due);
  return { count: times.length, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), maxMs: Math.max(...times) };
}
