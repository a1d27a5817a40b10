import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const control = (action: "stop" | "start" | "restart") =>
  scenario.shard.request("POST", `/sessions/${scenario.business}/${action}`);
const logins = () => scenario.simulator.simulation.stats.logins;

describe("a session that is stopped on request", () => {
  test("stays closed across a restart until it is started", async () => {
    const { simulator, shard, business, phone, contact, restart, waitingMail, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await until(async () => (await waitingMail()) === 0, { what: "the data that follows a pairing" });
    expect((await control("stop")).status).toBe(202);
    expect(await shard.view(business)).toMatchObject({
      status: "disconnected",
      paired: true,
      stopped: true,
      reason: "stopped on request",
    });
    const refused = await shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining("stopped on request")]);
    await contactWrites("while it is stopped");
    await until(async () => (await waitingMail()) === 1, { what: "the message to wait at WhatsApp" });

    const before = logins();
    await restart();
    expect(await scenario.shard.view(business)).toMatchObject({ status: "disconnected", stopped: true });
    expect((await control("restart")).status).toBe(409);
    expect((await control("stop")).status).toBe(202);
    expect(logins()).toBe(before);
    expect((await control("start")).status).toBe(202);
    await scenario.shard.reaches(business, "open");
    expect((await scenario.shard.view(business)).stopped ?? false).toBeFalse();
    await until(async () => (await received()).length === 1, { what: "the message" });
    await restart();
    await scenario.shard.reaches(business, "open");
  });

  test("opens by a connect too", async () => {
    const { simulator, shard, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await control("stop");
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
  });

  test("ends a pairing, which leaves no trace", async () => {
    const { simulator, shard, business, phone } = scenario;
    await makePhone(simulator, phone);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "qr");
    expect((await control("start")).status).toBe(409);
    await control("stop");
    expect(await shard.view(business)).toMatchObject({ status: "disconnected", paired: false });
    await shard.pair(simulator, business, phone);
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
  });
});

describe("a restart on request", () => {
  test("opens another connection and loses no message", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const before = logins();
    const messages = Array.from({ length: 20 }, (_, n) => text(contact, `${n}`));
    const send = async () => {
      const response = await shard.request("POST", `/sessions/${business}/messages`, { messages });
      if (!response.ok) return false;
      const { results } = (await response.json()) as { results: { status: string }[] };
      return results.every(({ status }) => status === "sent");
    };
    const sending = until(send, { what: "the messages to be sent" });
    expect((await control("restart")).status).toBe(202);
    await sending;
    await until(() => logins() > before, { what: "the next login" });
    expect(logins()).toBe(before + 1);
    const { texts, duplicates } = await screenOf(simulator, contact);
    expect({ texts, duplicates }).toEqual({ texts: messages.map(({ text: body }) => body), duplicates: 0 });
  });

  test("is refused soon after another one", async () => {
    const { simulator, shard, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await scenario.restart({ loginIntervalMs: 60_000 });
    await shard.reaches(business, "open");
    expect((await control("restart")).status).toBe(202);
    await shard.reaches(business, "open");
    const before = logins();
    const refused = await control("restart");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await control("stop")).status).toBe(202);
    expect((await control("start")).status).toBe(429);
    const connect = await shard.request("POST", `/sessions/${business}/connect`, { method: "qr" });
    expect(connect.status).toBe(429);
    expect(logins()).toBe(before);
  });

  test("is refused during a ban, and stop too", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("login_failure", { reason: "402", expire: 3600 });
    await fault("drop");
    await shard.reaches(business, "banned");
    for (const action of ["restart", "stop", "start"] as const) expect((await control(action)).status).toBe(409);
    expect((await shard.view(business)).status).toBe("banned");
  });
});
