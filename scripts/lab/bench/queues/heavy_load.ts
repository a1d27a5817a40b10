import { until } from "../../../../lib/testing/until.ts";
import type { Customer } from "../../rig/platform.ts";
import { sendPictures } from "./media_load.ts";
import { subscribableEvents } from "../../../../lib/events/index.ts";
import { throughEdge } from "./stage.ts";
import type { Stage } from "./stage.ts";

export type LoadPlan = {
  recipients: number;
  /** Pace of the broadcast; the platform's default is faster than this machine can send. */
  perMinute: number;
  /** Jobs of the queue media. */
  pictures: number;
};

export type HeavyLoad = {
  /** Work done so far. */
  progress(): Promise<{ sent: number; fetched: number; hanging: number }>;
  stop(): Promise<void>;
};

/** Starts a large broadcast, inbound pictures, and a webhook endpoint that never answers. */
export async function startHeavyLoad(
  stage: Stage,
  broadcaster: Customer,
  subscribers: readonly Customer[],
  plan: LoadPlan,
): Promise<HeavyLoad> {
  const { platform } = stage;
  const ask = throughEdge(stage, broadcaster);
  let hanging = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 120,
    fetch: async () => {
      hanging += 1;
      return new Promise<Response>(() => {});
    },
  });
  const url = `http://127.0.0.1:${server.port}/never`;
  for (const { id } of subscribers) await platform.webhook(id, url, subscribableEvents);

  const draft = { name: "All of them", text: "Hello {{name}}", per_minute: plan.perMinute };
  const { id } = await ask<{ id: string }>("POST", "/broadcasts", draft);
  const page = 20_000;
  for (let from = 0; from < plan.recipients; from += page) {
    const lines = Array.from(
      { length: Math.min(page, plan.recipients - from) },
      (_, n) => `${15_600_000_000 + from + n},N${from + n}`,
    );
    await ask("POST", `/broadcasts/${id}/recipients/upload`, `to,name\n${lines.join("\n")}\n`);
  }
  await ask("POST", `/broadcasts/${id}/start`);

  await sendPictures(platform, stage.customers, stage.pictures, plan.pictures);

  const progress = async () => {
    const [row] = await platform.owner<[{ sent: number; waiting: number }]>`
      select (select count(*)::integer from messages where broadcast_id = ${id} and sent_at is not null) as sent,
             (select count(*)::integer from media_fetches) as waiting`;
    return { sent: row.sent, fetched: plan.pictures - row.waiting, hanging };
  };
  const started = async () => Object.values(await progress()).every((count) => count > 5);
  await until(started, {
    deadlineMs: 120_000,
    what: "the broadcast, the pictures and the hanging endpoint to start",
  });
  return {
    progress,
    stop: async () => {
      await ask("POST", `/broadcasts/${id}/cancel`);
      await server.stop(true);
    },
  };
}
