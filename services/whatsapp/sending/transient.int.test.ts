import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import type { BatchMessage } from "../../../lib/contracts/shard/schemas.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

/** The waits of minutes take a hundredth of a second for each second. */
const scenario = shardScenario({ waitScale: 0.01 });

const deliver = (messages: BatchMessage[], business = scenario.business) => scenario.shard.deliver(business, messages);

describe("a temporary failure of WhatsApp", () => {
  test.each([
    ["usync", 429],
    ["usync", 503],
    ["keys", 429],
    ["keys", 503],
  ])("of a %s query with %d fails no message", async (query, code) => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("query_refuse", { query, code, times: 4 });
    const batch = ["one", "two", "three"].map((body) => text(contact, body));
    expect((await deliver(batch)).map(({ status }) => status)).toEqual(["sent", "sent", "sent"]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["one", "two", "three"]);
  });

  test("of a group query fails no message", async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const id = await scenario.makeGroup();
    await fault("query_refuse", { query: "groups", code: 429, times: 4 });
    expect((await deliver([text(id, "to all")])).map(({ status }) => status)).toEqual(["sent"]);
  });

  test("of a query holds only its chat", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "so that nothing need be asked")]);
    const stranger = newPhone();
    await makePhone(simulator, stranger);
    await fault("query_refuse", { query: "usync", code: 429 });
    const results = await shard.send(business, [
      text(stranger, "waits"),
      text(contact, "goes"),
      text(stranger, "waits behind it"),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["retry", "sent", "retry"]);
  });

  test("of a query delays the next query", async () => {
    // The batch has to end within the wait.
    await scenario.restart({ waitScale: 1 });
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("query_refuse", { query: "usync", code: 429 });
    const before = simulator.simulation.stats.queries_refused;
    const strangers = Array.from({ length: 20 }, () => text(newPhone(), "hello"));
    const results = await shard.send(business, strangers);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["retry"]));
    expect(simulator.simulation.stats.queries_refused - before).toBeLessThanOrEqual(2);
    expect(Math.min(...results.map(({ wait_ms }) => wait_ms ?? 0))).toBeGreaterThan(0);
  });

  test("waits as long as WhatsApp says", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("query_refuse", { query: "usync", code: 429, backoff: 90, times: 1 });
    const [query] = await shard.send(business, [text(contact, "first")]);
    expect(query).toMatchObject({ status: "retry", error: { code: "429" } });
    expect(query!.wait_ms! / 1_000).toBeCloseTo(90, 0);
    await scenario.restart();
    await shard.reaches(business, "open");
    await fault("ack_refuse", { code: 503, backoff: 45, times: 1 });
    const [ack] = await shard.send(business, [text(contact, "second")]);
    expect(ack).toMatchObject({ status: "retry", wait_ms: 45_000, error: { code: "503" } });
  });

  // Three accounts at once, because a late query is one that takes longer than 20 s.
  test("of late queries of each kind fails no message", async () => {
    const { shard, simulator, contact } = scenario;
    const results = ["usync", "keys", "groups"].map(async (query) => {
      const [business, phone] = [uuidv7(), newPhone()];
      await shard.pair(simulator, business, phone);
      const group = { subject: "Team", members: [phone, contact] };
      const { id } = await control<{ id: string }>(simulator, "POST", "/groups", group);
      await control(simulator, "POST", "/faults", { kind: "query_late", phone, query, ms: 25_000, times: 1 });
      const [result] = await deliver([text(query === "groups" ? id : contact, "late")], business);
      return [query, result!.status];
    });
    expect(await Promise.all(results)).toEqual([
      ["usync", "sent"],
      ["keys", "sent"],
      ["groups", "sent"],
    ]);
  });

  test("of a media host query holds later ones", async () => {
    // Three requests have to end within the wait.
    await scenario.restart({ waitScale: 0.3 });
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("query_refuse", { query: "media", code: 429, times: 1 });
    const ask = () => shard.request("POST", `/sessions/${business}/media_connection`, { renew: true });
    const { stats } = simulator.simulation;
    const before = stats.queries["w:m"] ?? 0;
    for (let i = 0; i < 3; i++) {
      const refused = await ask();
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(stats.queries["w:m"]).toBe(before + 1);
    // This simulator has no media host: it answers 503 itself.
    const again = async () => (await ask()).status === 503 && stats.queries["w:m"] === before + 2;
    await until(again, { what: "the next query" });
  });

  test("that throttles messages holds the whole account", async () => {
    // The next request has to come within the wait.
    await scenario.restart({ waitScale: 0.1 });
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const other = newPhone();
    await makePhone(simulator, other);
    await shard.send(business, [text(contact, "0"), text(other, "0")]);
    await fault("ack_refuse", { code: 429, times: 1 });
    const batch = [text(contact, "1")];
    expect(await shard.send(business, batch)).toMatchObject([{ status: "retry", error: { code: "429" } }]);
    expect(await shard.send(business, [text(other, "waits")])).toMatchObject([
      { status: "paced", holds: "everything", wait_ms: expect.any(Number) },
    ]);
    await deliver([...batch, text(other, "1")]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["0", "1"]);
  });

  test("delays a broadcast to new chats and fails none", async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const strangers = Array.from({ length: 200 }, () => newPhone());
    for (const stranger of strangers) await makePhone(simulator, stranger);
    await fault("query_refuse", { query: "usync", code: 429 });
    const lifted = Bun.sleep(600).then(() => control(simulator, "DELETE", "/faults"));
    const { stats } = simulator.simulation;
    const before = stats.queries_refused;
    const results = await deliver(strangers.map((stranger) => text(stranger, "an offer")));
    await lifted;
    expect(results.filter(({ status }) => status === "sent")).toHaveLength(200);
    expect(stats.queries_refused - before).toBeLessThan(20);
  });

  test.each([408, 421, 429, 500, 503])("in an acknowledgement (%d) fails nothing, keeps the order", async (code) => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("ack_refuse", { code, times: 4 });
    const batch = ["one", "two", "three"].map((body) => text(contact, body));
    expect((await deliver(batch)).map(({ status }) => status)).toEqual(["sent", "sent", "sent"]);
    const screen = await screenOf(simulator, contact);
    expect({ texts: screen.texts, duplicates: screen.duplicates }).toEqual({
      texts: ["one", "two", "three"],
      duplicates: 0,
    });
  });

  test("of one message lets none overtake it", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "zero")]);
    await fault("ack_refuse", { code: 503, times: 1 });
    const batch = ["one", "two", "three"].map((body) => text(contact, body));
    await deliver(batch);
    expect((await screenOf(simulator, contact)).texts).toEqual(["zero", "one", "two", "three"]);
  });

  test("amid a burst of ten keeps the order", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "0")]);
    await fault("ack_refuse", { code: 503, skip: 4, times: 1 });
    await fault("ack_delay", { ms: 20 });
    const burst = Array.from({ length: 10 }, (_, i) => `${i + 1}`);
    const batch = burst.map((body) => text(contact, body));
    const results = await shard.send(business, batch);
    expect(results.map(({ status }) => status).join(" ")).toBe(`${"sent ".repeat(4)}${"retry ".repeat(6)}`.trim());
    expect((await deliver(batch)).map(({ status }) => status)).toEqual(burst.map(() => "sent"));
    const { texts, undecryptable } = await screenOf(simulator, contact);
    expect({ texts, undecryptable }).toEqual({ texts: ["0", ...burst], undecryptable: 0 });
  });

  test("of a group message distributes its sender key again", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const id = await scenario.makeGroup();
    await fault("ack_refuse", { code: 503, times: 1 });
    await deliver([text(id, "one"), text(id, "two")]);
    const { texts, undecryptable } = await screenOf(simulator, contact);
    expect({ texts, undecryptable }).toEqual({ texts: ["one", "two"], undecryptable: 0 });
  });

  test("with 421 reloads the group", async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const id = await scenario.makeGroup();
    await shard.send(business, [text(id, "so that the group is known")]);
    await fault("ack_refuse", { code: 421, times: 1 });
    const { stats } = simulator.simulation;
    const asked = stats.queries["w:g2"] ?? 0;
    await deliver([text(id, "to all")]);
    expect(stats.queries["w:g2"]).toBe(asked + 1);
  });
});
