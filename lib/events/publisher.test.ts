import { describe, expect, test } from "bun:test";
import { createEventPublisher } from "./index.ts";
import type { LiveEvent } from "./index.ts";

const entry: LiveEvent = { business_id: "b", event: "call.started", at: new Date(0).toISOString(), data: {} };

describe("the event publisher", () => {
  test("appends entries and wakes endpoints", async () => {
    const [appended, woken]: [LiveEvent[], string[]] = [[], []];
    const publish = createEventPublisher({
      stream: { append: async (entries) => (appended.push(...entries), true) },
      wakeWebhook: (id) => void woken.push(id),
      onError: () => {},
    });
    await publish({ webhookIds: ["w1", "w2"], entries: [entry] });
    expect([appended, woken]).toEqual([[entry], ["w1", "w2"]]);
  });

  test("reports failures and never throws", async () => {
    const failures: [string, number][] = [];
    const publish = createEventPublisher({
      stream: { append: async () => Promise.reject(new Error("no Redis")) },
      wakeWebhook: async () => Promise.reject(new Error("no queue")),
      onError: (error, entries) => failures.push([String(error), entries]),
    });
    await publish({ webhookIds: ["w1"], entries: [entry] });
    expect(failures).toEqual([["Error: no Redis", 1]]);
  });
});
