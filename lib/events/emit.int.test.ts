import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../core/ids.ts";
import { atomically, insertWebhook } from "../db/index.ts";
import type { BusinessScope } from "../db/index.ts";
import { useBusiness } from "../testing/use_business.ts";
import { commitWithEvents, emit } from "./index.ts";
import type { Emitted, Event } from "./index.ts";

const { database, scope } = useBusiness();

const subscribe = async (...events: string[]): Promise<string> => {
  const id = uuidv7();
  const endpoint = { url: "https://a.example", description: null, ordered: false, max_concurrency: 8 };
  await insertWebhook(scope(), { ...endpoint, id, events, secret: "sealed" }, 10);
  return id;
};
const callStarted = (): Event => {
  const call = { direction: "inbound", from: "+1555", to: "+1556", status: "ringing", streams: 1 } as const;
  const data = { call_sid: `CA${uuidv7()}`, ...call, duration_s: null };
  return { name: "call.started", business_id: scope().businessId, at: new Date(), data };
};
const testOf = (webhook_id: string): Event => ({
  name: "webhook.test",
  business_id: scope().businessId,
  at: new Date(),
  data: { webhook_id },
  onlyWebhook: webhook_id,
});
const deliveriesTo = (id: string) =>
  database().owner<{ event: string; payload: string }[]>`
    select event, payload from webhook_deliveries where webhook_id = ${id} order by id`;

/** Counts the transactions of the scope and the statements in them. */
const counted = () => {
  const counts = { transactions: 0, statements: 0 };
  const counting: BusinessScope = {
    ...scope(),
    run: (work) => {
      counts.transactions += 1;
      return scope().run((sql) =>
        work(
          new Proxy(sql, {
            apply: (target, self, args) => {
              counts.statements += 1;
              return Reflect.apply(target, self, args) as unknown;
            },
          }),
        ),
      );
    },
  };
  return { counts, counting };
};

describe("emit", () => {
  test("writes deliveries for subscribed endpoints only", async () => {
    const [calls, messages] = [await subscribe("call.started"), await subscribe("message.sent")];
    const event = callStarted();
    const { webhookIds } = await emit(scope(), [event]);
    expect(webhookIds).toEqual([calls]);
    const [delivery] = await deliveriesTo(calls);
    expect(JSON.parse(delivery!.payload)).toEqual({
      type: "call.started",
      timestamp: event.at.toISOString(),
      data: { business_id: scope().businessId, ...event.data },
    });
    expect(await deliveriesTo(messages)).toHaveLength(0);
  });

  test("returns the live-stream entries in order", async () => {
    const events = [callStarted(), callStarted()];
    const { entries } = await emit(scope(), events);
    expect(entries.map(({ data }) => data)).toEqual(events.map(({ data }) => data));
  });

  test("keeps webhook.test out of live streams", async () => {
    const id = await subscribe("message.sent");
    expect(await emit(scope(), [testOf(id)])).toEqual({ webhookIds: [id], entries: [] });
    expect(await deliveriesTo(id)).toMatchObject([{ event: "webhook.test" }]);
  });

  test("skips the endpoint that an event is about", async () => {
    const [paused, other] = [await subscribe("webhook.paused"), await subscribe("webhook.paused")];
    const data = { webhook_id: paused, url: "https://a.example", reason: "" };
    const about = { business_id: scope().businessId, at: new Date(), data, exceptWebhook: paused };
    expect((await emit(scope(), [{ name: "webhook.paused", ...about }])).webhookIds).toEqual([other]);
  });

  test("rolls back with its transaction", async () => {
    const id = await subscribe("call.started");
    const failing = atomically(scope(), async (tx) => {
      await emit(tx, [callStarted()]);
      throw new Error("rolled back");
    });
    await expect(failing).rejects.toThrow("rolled back");
    expect(await deliveriesTo(id)).toHaveLength(0);
  });
});

describe("statements of emit", () => {
  test.each([
    ["none without events", 0, async () => []],
    ["one without subscribers", 1, async () => [callStarted(), callStarted()]],
    ["one for a named endpoint", 1, async () => [testOf(await subscribe("message.sent"))]],
    ["two for any number of events", 2, async () => (await subscribe("call.started"), [callStarted(), callStarted()])],
  ] as const)("%s", async (_, statements, prepare) => {
    const events = await prepare();
    const { counts, counting } = counted();
    await emit(counting, events);
    expect(counts.statements).toBe(statements);
  });

  test("no transaction for a business without endpoints", async () => {
    const { counts, counting } = counted();
    const published: Partial<Emitted>[] = [];
    const event = callStarted();
    await commitWithEvents(
      async (emitted) => void published.push(emitted),
      counting,
      async () => ({ result: undefined, events: [event] }),
      { hasWebhooks: false },
    );
    expect(counts).toEqual({ transactions: 0, statements: 0 });
    expect(published).toMatchObject([{ entries: [{ event: "call.started" }] }]);
  });
});
