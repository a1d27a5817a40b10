import { describe, expect, spyOn, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("a session that is open and deaf", () => {
  test("is detected by an invisible probe and reconnects", async () => {
    const { simulator, shard, business, phone, contact, fault, contactWrites, received, restart, metric } = scenario;
    // A busy machine answers the probes of the healthy connection late.
    await restart({ deafness: { idleMs: 300, answerMs: 4_000 } });
    await shard.pair(simulator, business, phone);
    const accepted = simulator.simulation.stats.messages_accepted;
    await until(() => simulator.simulation.stats.messages_accepted > accepted + 1, { what: "two probes" });
    expect(await metric("prosaas_whatsapp_deaf_connections_total")).toBe(0);

    await fault("silence", { answer_pings: true, times: 1 });
    await contactWrites("spoken to deaf ears");
    await until(async () => (await received()).length === 1, { what: "the message" });
    expect(await metric("prosaas_whatsapp_deaf_connections_total")).toBe(1);
    // Probes go to the own number. Its phone does not show them, and no one else receives any.
    const { texts, undecryptable } = await screenOf(simulator, phone);
    expect({ texts, undecryptable }).toEqual({ texts: ["spoken to deaf ears"], undecryptable: 0 });
    expect((await screenOf(simulator, contact)).ids).toEqual([]);
  });

  test("is reloaded from the disk and raises an alarm", async () => {
    const { simulator, shard, business, phone, contact, fault, restart } = scenario;
    await restart({ deafness: { idleMs: 50, answerMs: 50 } });
    await shard.pair(simulator, business, phone);
    await fault("silence", { answer_pings: true });
    const opened = spyOn(AuthStore, "open");
    await until(async () => (await shard.view(business)).reason?.includes("delivers nothing"), { what: "the reason" });
    await until(() => opened.mock.calls.length > 0, { what: "the store to be opened again" });
    opened.mockRestore();
    await control(simulator, "DELETE", "/faults");
    // The last silent connection may not be detected yet.
    const message = text(contact, "heard again");
    const sent = async () => {
      await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
      return (await shard.send(business, [message]))[0]?.status === "sent";
    };
    await until(sent, { what: "a message to be sent" });
  });
});

describe("a session that can decrypt nothing", () => {
  test("is reloaded from the disk and raises an alarm", async () => {
    const { simulator, shard, business, phone, contact, received } = scenario;
    await shard.pair(simulator, business, phone);
    // Customers can send garbage on purpose; the business's own phone does not.
    const writers = [contact, newPhone(), phone];
    const write = (from: string, body: object) =>
      scenario.write(from, from === phone ? { to: contact, ...body } : body);
    for (const writer of writers) await write(writer, { text: "hello" });
    await until(async () => (await received()).length === writers.length, { what: "the first messages" });
    for (let n = 0; n < 21; n++)
      await write(writers[n % writers.length]!, { text: "unreadable", companions_get: "garbage" });
    const metrics = async () => (await shard.request("GET", "/metrics")).text();
    await until(async () => /^prosaas_whatsapp_alarms_total\S* 1$/m.test(await metrics()), { what: "the alarm" });
    await shard.reaches(business, "open");
    expect((await shard.send(business, [text(contact, "still here")]))[0]?.status).toBe("sent");
  });
});
