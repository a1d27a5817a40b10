import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { createShardClient, shardToken } from "../../lib/contracts/shard/index.ts";
import { sessionList } from "../../lib/contracts/shard/schemas.ts";
import { uuidv7 } from "../../lib/core/ids.ts";
import { until } from "../../lib/testing/until.ts";
import { shardScenario } from "./testing/scenario.ts";
import { newPhone, newVolume, startShard, statusIn, text, token } from "./testing/shard_under_test.ts";

const scenario = shardScenario();

describe("the internal API", () => {
  test("refuses wrong tokens, unknown businesses and malformed input", async () => {
    const { shard, business, contact } = scenario;
    const statusOf = async (method: string, path: string, body?: unknown) =>
      (await shard.request(method, path, body)).status;
    expect(await statusOf("GET", "/sessions")).toBe(200);
    expect((await shard.withToken("another-token").request("GET", "/sessions")).status).toBe(401);
    // Another shard's token, and the root token that clients derive from.
    for (const other of [shardToken(token, 2), token])
      expect((await shard.withToken(other).request("GET", "/sessions")).status).toBe(401);
    expect(await statusOf("GET", `/sessions/${uuidv7()}`)).toBe(404);
    expect(await statusOf("GET", "/sessions/not-an-id")).toBe(400);
    expect(await statusOf("GET", "/journal/nothing")).toBe(400);
    expect(await statusOf("POST", `/sessions/${business}/connect`, { method: "code" })).toBe(400);
    const response = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [{ ...text(contact, "x"), to: "" }],
    });
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    expect(await response.json()).toMatchObject({ errors: [{ field: "messages.0.to" }] });
  });

  test("refuses requests that are meant for another shard", async () => {
    const { simulator, shard, business, phone } = scenario;
    const otherVolume = newVolume();
    const other = startShard({ simulator, volume: otherVolume, keys: scenario.keys, shard: 2 });
    let listens = shard;
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => listens.fetch(request) });
    const client = createShardClient({ token });
    const at = { shard: 1, url: `http://127.0.0.1:${server.port}` };
    await shard.pair(simulator, business, phone);
    await other.pair(simulator, uuidv7(), newPhone());
    // Entries follow the view: one that came later would count as a change.
    const lastEvent = async () => (await other.readJournal("events")).at(-1)!.data;
    await until(async () => statusIn(await lastEvent()) === "open", { what: "the other shard's last event" });
    const { through } = await client.readJournal(at, "events");
    // Shard 1 has stopped, and shard 2 gets its port.
    listens = other;
    const before = (await other.readJournal("events")).length;
    await expect(client.ackJournal(at, "events", through!)).rejects.toThrow("This is shard 2");
    await expect(client.connect(at, business, { method: "qr" })).rejects.toThrow("This is shard 2");
    await expect(client.logout(at, business)).rejects.toThrow("This is shard 2");
    expect(await other.readJournal("events")).toHaveLength(before);
    await other.stop();
    rmSync(otherVolume, { recursive: true });
    await server.stop(true);
  });

  test("reports its message rate with the sessions", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "one"), text(contact, "two")]);
    expect(sessionList.parse(await shard.json("GET", "/sessions"))).toMatchObject({
      messages_per_minute: 2,
      version: null,
    });
  });

  test("counts sends, acknowledgements and connection ends", async () => {
    const { simulator, shard, business, phone, contact, fault, metric } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("ack_refuse", { code: 463, times: 1 });
    await shard.send(business, [text(contact, "refused"), text(contact, "taken")]);
    expect(await metric('prosaas_whatsapp_sessions\\{status="open"')).toBe(1);
    expect(await metric('prosaas_whatsapp_sends_total\\{result="sent"')).toBe(1);
    expect(await metric('prosaas_whatsapp_sends_total\\{result="failed"')).toBe(1);
    expect(await metric('prosaas_whatsapp_connections_ended_total\\{code="515"')).toBe(1);
    expect(await metric("prosaas_whatsapp_ack_seconds_count")).toBe(2);
  });
});
