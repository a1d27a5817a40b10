import { describe, expect, test } from "bun:test";
import { replayDeliveries } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { firstRun } from "../testing/run.ts";
import { useWebhookStage } from "../testing/webhooks.ts";

const stage = useWebhookStage();
const { chat, passTime, receive, scope, serve, settled, texts } = stage;

describe("order", () => {
  test("an ordered chat waits for its failed event", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { ordered: true });
    let broken = true;
    endpoint.answer = async ({ data }) =>
      broken && data["text"] === "4" ? new Response(null, { status: 500 }) : undefined;
    await serve();
    await receive(12, 3);
    await until(() => endpoint.received.length === 9, { what: "the other events" });
    expect(new Set(texts(endpoint.received))).toEqual(new Set(["0", "1", "2", "3", "5", "6", "8", "9", "11"]));
    broken = false;
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
    const last = endpoint.received.filter(({ data }) => data["chat"] === chat(1));
    expect(texts(last)).toEqual(["1", "4", "7", "10"]);
  });

  test("an unordered event waits for none", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    let refusedAt = Number.NaN;
    endpoint.answer = async ({ data, at }) => {
      if (data["text"] !== "1") return undefined;
      refusedAt = at;
      return new Response(null, { status: 500 });
    };
    await serve();
    await receive(4);
    await until(() => endpoint.received.length === 3, { what: "the others" });
    const failed = await until(
      async () =>
        (await stage.workers.deliveries(endpoint.id)).find(
          ({ attempts, status }) => attempts === 1 && status === "pending",
        ),
      {
        what: "the failed attempt",
      },
    );
    expect(failed).toMatchObject({ status: "pending", attempts: 1, last_status: 500, last_error: "It answered 500." });
    expect(new Date(failed.next_attempt_at!).getTime()).toBeGreaterThan(refusedAt + 2_000);
  });

  test("keeps to the endpoint's concurrency", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { max_concurrency: 3 });
    endpoint.answer = async () => {
      await Bun.sleep(5);
      return undefined;
    };
    await serve();
    await receive(60, 60);
    await until(() => endpoint.received.length === 60, { what: "every event" });
    expect(endpoint.maxInFlight).toBe(3);
  });
});

describe("retries", () => {
  test("a delivery dies after a day; replay revives", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    let broken = true;
    endpoint.answer = async () => (broken ? new Response(null, { status: 503 }) : undefined);
    await serve();
    await receive(1);
    for (let attempt = 1; attempt <= 11; attempt++) {
      const [delivery] = await until(
        async () => {
          const rows = await stage.workers.deliveries(endpoint.id);
          return rows[0]?.attempts === attempt ? rows : null;
        },
        { what: `attempt ${attempt}` },
      );
      expect(delivery).toMatchObject({ status: "pending", last_status: 503 });
      await until(() => stage.workers.redis.exists(`prosaas:lease:webhook:${endpoint.id}`).then((held) => held === 0), {
        what: "the run's end",
      });
      await passTime(endpoint.id);
    }
    await settled(endpoint.id, "dead");
    const [dead] = await stage.workers.deliveries(endpoint.id);
    expect(dead).toMatchObject({ attempts: 12, next_attempt_at: null });
    broken = false;
    expect(await replayDeliveries(scope(), endpoint.id, { id: dead!.id })).toBe(1);
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
    expect(endpoint.received.map(({ id }) => id)).toEqual([dead!.id]);
  });

  test("replays the deliveries of a time range only", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    await serve();
    await receive(2);
    await settled(endpoint.id, "delivered");
    await until(() => endpoint.received.length === 2, { what: "the first events" });
    await Bun.sleep(2);
    const from = new Date();
    await receive(3);
    await until(() => endpoint.received.length === 5, { what: "the later events" });
    await settled(endpoint.id, "delivered");
    const range = { from, to: new Date(Date.now() + 1_000), status: "delivered", most: 100 } as const;
    expect(await replayDeliveries(scope(), endpoint.id, range)).toBe(3);
    await stage.workers.producer.wake("deliver", { webhook_id: endpoint.id });
    await until(() => endpoint.received.length === 8, { what: "the replayed events" });
    expect(
      endpoint.received
        .slice(5)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(
      endpoint.received
        .slice(2, 5)
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  test("the sweep wakes due deliveries and expires old ones", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    const disabled = await stage.workers.endpoint(stage.business);
    await stage.workers.serve("high");
    await receive(3);
    await until(() => endpoint.received.length === 3, { what: "the events" });
    await settled(endpoint.id, "delivered");
    await settled(disabled.id, "delivered");
    await stage.workers.database.owner`update webhooks set status = 'disabled' where id = ${disabled.id}`;
    await stage.workers.database
      .owner`update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds', now())
        where webhook_id = ${endpoint.id}`;
    await stage.workers.database.owner`
    update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds',
    now()), expires_at = now() - interval '1 second' where webhook_id = ${disabled.id}`;
    await stage.workers.redis.flushdb();
    await stage.workers.sweep();
    await until(() => endpoint.received.length === 6, { what: "the events again" });
    await stage.workers.producer.wake("expire_deliveries", {});
    await settled(disabled.id, "dead");
  });
});

describe("a turn without time", () => {
  test("makes one attempt", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    await receive(3);
    await stage.workers.handlers.inbound(firstRun<"inbound">({ shard: 1 }));
    const run = { ...firstRun<"deliver">({ webhook_id: endpoint.id }), endsAt: performance.now() };
    expect(await stage.workers.handlers.deliver(run)).toMatchObject({
      counts: { delivered: 1 },
      again: { inMs: 0, reason: "the turn is over" },
    });
    expect(endpoint.received).toHaveLength(1);
  });
});
