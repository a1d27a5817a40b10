import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, screenOf, statusIn, text } from "../testing/shard_under_test.ts";
import { trustNoiseRoot } from "./noise_root.ts";

const scenario = shardScenario();

describe("a linked login", () => {
  test("opens after a restart without a QR code", async () => {
    const { simulator, shard, business, phone, contact, restart } = scenario;
    await shard.pair(simulator, business, phone);
    await restart();
    await shard.reaches(business, "open");
    expect((await shard.send(business, [text(contact, "back")]))[0]?.status).toBe("sent");
  });

  test.each(["drop", "unavailable", "restart"])("reopens after %s and sends the waiting batch", async (kind) => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    expect((await fault(kind)).struck).toBe(1);
    // After a 503 it backs off for seconds; a connect ends that wait.
    if (kind === "unavailable") {
      await shard.reaches(business, "connecting");
      await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    }
    const message = text(contact, "in spite of it");
    await until(
      async () => {
        const response = await shard.request("POST", `/sessions/${business}/messages`, { messages: [message] });
        return (
          response.ok && ((await response.json()) as { results: { status: string }[] }).results[0]?.status === "sent"
        );
      },
      { what: "the message to be sent", everyMs: 200 },
    );
    await until(async () => (await screenOf(simulator, contact)).texts.length === 1);
    expect(await screenOf(simulator, contact)).toMatchObject({ texts: ["in spite of it"] });
  });

  test("reports at once that a gateway refused it", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await control(simulator, "POST", "/faults", { kind: "unavailable", at: "upgrade", times: 1 });
    await fault("drop");
    await until(async () => (await shard.view(business)).reason?.includes("(503)"), { what: "the reason" });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("refuses a server under another Noise root", async () => {
    const { simulator, shard, business, phone, restart } = scenario;
    await shard.pair(simulator, business, phone);
    await restart();
    trustNoiseRoot(new Uint8Array(32).fill(9));
    expect(await shard.reaches(business, "connecting")).toMatchObject({ paired: true });
    await until(async () => (await shard.view(business)).reason?.includes("certificate"), {
      what: "the refusal of the certificate",
    });
  });
});

describe("an end that needs a person", () => {
  test("440: reports a conflict until a connect", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("replaced");
    const { reason } = await shard.reaches(business, "conflict");
    expect(reason).toContain("440");
    const refused = await shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("440: is remembered across a restart", async () => {
    const { simulator, shard, business, phone, fault, restart } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("replaced");
    await shard.reaches(business, "conflict");
    await restart();
    expect((await shard.view(business)).status).toBe("conflict");
  });

  test("401: archives the auth store and allows pairing", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("logged_out");
    expect(await shard.reaches(business, "logged_out")).toMatchObject({ paired: false });
    expect(readdirSync(join(scenario.volume, "set-aside"))).toEqual([expect.stringContaining(business)]);
    const refused = await shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    expect(refused.status).toBe(409);
    await shard.pair(simulator, business, phone);
  });

  test("403: keeps the auth store", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("login_failure", { reason: "403", times: 1 });
    await fault("drop");
    expect(await shard.reaches(business, "disconnected")).toMatchObject({
      paired: true,
      reason: expect.stringContaining("403"),
    });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("logout: unlinks the device and archives the store", async () => {
    const { simulator, shard, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    expect((await shard.request("DELETE", `/sessions/${business}`)).status).toBe(204);
    expect(await scenario.metric("prosaas_whatsapp_alarms_total")).toBe(0);
    const statuses = async () => (await shard.readJournal("events")).map(({ data }) => statusIn(data));
    await until(async () => (await statuses()).at(-1) === "logged_out", { what: "the event" });
    expect((await statuses()).slice(-2)).toEqual(["open", "logged_out"]);
    expect((await shard.request("GET", `/sessions/${business}`)).status).toBe(404);
    const devices = async () => (await control<{ devices: unknown[] }>(simulator, "GET", `/phones/${phone}`)).devices;
    await until(async () => (await devices()).length === 0, { what: "the phone to list no device" });
    expect(existsSync(join(scenario.volume, "sessions", business))).toBeFalse();
    await shard.pair(simulator, business, phone);
  });
});
