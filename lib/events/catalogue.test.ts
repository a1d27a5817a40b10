import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { events, payloads, streamEvents, subscribableEvents, webhookEvents } from "./index.ts";

describe("the event catalogue", () => {
  test("has a payload schema for each event", () => {
    expect(Object.keys(payloads).toSorted()).toEqual(Object.keys(events).toSorted());
  });

  test("offers every event but webhook.test to subscriptions", () => {
    expect([...subscribableEvents, "webhook.test"].toSorted()).toEqual([...webhookEvents].toSorted());
  });

  test("streams every event but webhook.test", () => {
    expect([...streamEvents, "webhook.test"].toSorted()).toEqual(Object.keys(events).toSorted());
  });
});

test("only lib/events appends to live streams", async () => {
  const root = new URL("../..", import.meta.url).pathname;
  const sources = await Array.fromAsync(new Bun.Glob("{lib,services}/**/*.ts").scan({ cwd: root }));
  const producers = sources.filter(
    (path) => !path.endsWith(".test.ts") && /\bappendEvents\b/.test(readFileSync(`${root}/${path}`, "utf8")),
  );
  expect(producers).toEqual(["lib/events/live_stream.ts"]);
});
