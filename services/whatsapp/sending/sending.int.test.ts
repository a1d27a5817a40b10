import { describe, expect, spyOn, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { deviceAddress } from "../../simulator/whatsapp/phones/signal.ts";
import { shardScenario } from "../testing/scenario.ts";
import { newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("sending", () => {
  test("delivers in order and journals ticks and replies", async () => {
    const { simulator, shard, business, phone, contact, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    expect(await shard.view(business)).toMatchObject({ status: "open", phone, paired: true, name: `Phone ${phone}` });

    const batch = ["one", "two", "three"].map((body) => text(contact, body));
    const results = await shard.send(business, batch);
    expect(results.map(({ id, status }) => ({ id, status }))).toEqual(batch.map(({ id }) => ({ id, status: "sent" })));
    expect(
      await until(async () => (({ texts }) => texts.length === 3 && texts)(await screenOf(simulator, contact))),
    ).toEqual(["one", "two", "three"]);
    const read = async () => (await shard.readJournal("receipts")).filter(({ data }) => data.status === "read");
    await until(async () => (await read()).length === 3, { what: "three messages to be read" });

    await contactWrites("thank you");
    await until(async () => (await received()).length > 0, { what: "the answer" });
    const [entry] = await shard.readJournal("inbound");
    expect(entry).toMatchObject({
      business_id: business,
      data: { text: "thank you", chat: `${contact}@s.whatsapp.net` },
    });
    expect((await shard.request("POST", "/journal/inbound/ack", { through: entry!.seq })).status).toBe(204);
    expect(await received()).toEqual([]);
  });

  test("sends a repeated batch once, across restarts", async () => {
    const { simulator, shard, business, phone, contact, restart } = scenario;
    await shard.pair(simulator, business, phone);
    const batch = [text(contact, "once"), text(contact, "and once")];
    const [first, again] = await Promise.all([shard.send(business, batch), shard.send(business, batch)]);
    expect(again).toEqual(first);
    await restart();
    await shard.reaches(business, "open");
    expect(await shard.send(business, batch)).toEqual(first);
    const screen = await screenOf(simulator, contact);
    expect(screen).toMatchObject({ texts: ["once", "and once"], duplicates: 0 });
  });

  test("accepts a JID as the recipient", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    expect(await shard.send(business, [text(`${contact}@s.whatsapp.net`, "by JID")])).toMatchObject([
      { status: "sent" },
    ]);
    await until(async () => (await screenOf(simulator, contact)).texts.join() === "by JID");
  });

  test("keeps the order of messages that cross", async () => {
    const { simulator, shard, business, phone, contact, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    const bodies = Array.from({ length: 60 }, (_, i) => `message ${i}`);
    const sending = shard.deliver(
      business,
      bodies.slice(0, 50).map((body) => text(contact, body)),
    );
    for (const body of bodies) await contactWrites(body);
    expect((await sending).every(({ status }) => status === "sent")).toBeTrue();
    await until(async () => (await received()).length >= 60, { what: "60 messages in the journal" });
    expect(await received()).toEqual(bodies);
    const screen = await until(async () =>
      ((now) => now.texts.length >= 50 && now)(await screenOf(simulator, contact)),
    );
    expect(screen).toMatchObject({ texts: bodies.slice(0, 50), duplicates: 0, undecryptable: 0 });
  });

  test("reconnects and resends after a lost acknowledgement", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("ack_lost", { times: 1 });
    const message = text(contact, "taken, but not acknowledged");
    expect((await shard.send(business, [message]))[0]?.status).toBe("retry");
    expect(await shard.deliver(business, [message])).toMatchObject([{ status: "sent" }]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["taken, but not acknowledged"]);
  });
});

describe("a failed message", () => {
  test("keeps WhatsApp's refusal as its result", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("ack_refuse", { code: 463, times: 1 });
    const message = text(contact, "to a stranger");
    const [result] = await shard.send(business, [message]);
    expect(result).toMatchObject({ status: "failed", error: { code: "463" } });
    expect((await shard.send(business, [message]))[0]).toEqual(result);
  });

  test("does not block the next: number without account", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const stranger = newPhone();
    await fault("not_on_whatsapp", { phone: stranger });
    const results = await shard.send(business, [text(stranger, "undeliverable"), text(contact, "deliverable")]);
    expect(results).toMatchObject([{ status: "failed", error: { code: "not_on_whatsapp" } }, { status: "sent" }]);
  });

  test("does not block the next: number without devices", async () => {
    const { simulator, shard, business, phone, contact, fault, restart } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "so that the account is known")]);
    await restart();
    await shard.reaches(business, "open");
    await fault("not_on_whatsapp", { phone: contact, times: 2 });
    const results = await shard.send(business, [
      text(contact, "to a phone that is gone"),
      text(contact, "to one that is back"),
    ]);
    expect(results).toMatchObject([{ status: "failed", error: { code: "not_on_whatsapp" } }, { status: "sent" }]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["so that the account is known", "to one that is back"]);
  });
});

describe("the keys of a contact", () => {
  test("are renewed when its phone lost them", async () => {
    const { simulator, shard, business, phone, contact, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "first")]);
    await contactWrites("an answer, so that both sides use the session");
    await until(async () => (await received()).length === 1, { what: "the answer" });
    const { signal } = simulator.simulation.phones.get(contact)!;
    for (const device of simulator.simulation.phones.get(phone)!.devices.keys())
      signal.forget(deviceAddress(phone, device));
    expect((await shard.send(business, [text(contact, "second")]))[0]?.status).toBe("sent");
    await until(async () => (await screenOf(simulator, contact)).texts.includes("second"), {
      what: "the message sent again",
    });
    expect((await screenOf(simulator, contact)).undecryptable).toBe(1);
  });

  test("are queried once, across restarts", async () => {
    const { simulator, shard, business, phone, contact, contactWrites, received, restart } = scenario;
    await shard.pair(simulator, business, phone);
    const keysGiven = spyOn(simulator.simulation.phones.get(contact)!.signal, "bundle");
    await shard.send(business, [text(contact, "before")]);
    await contactWrites("an answer, so that both sides use the session");
    await until(async () => (await received()).length === 1, { what: "the answer" });
    expect(keysGiven).toHaveBeenCalledTimes(1);
    await restart();
    await shard.reaches(business, "open");
    await shard.send(business, [text(contact, "after")]);
    expect(keysGiven).toHaveBeenCalledTimes(1);
    expect(await screenOf(simulator, contact)).toMatchObject({ undecryptable: 0 });
  });

  test("are refused without its identity's signature", async () => {
    const { simulator, shard, business, phone, contact, restart } = scenario;
    await restart({ patienceMs: 0 });
    await shard.pair(simulator, business, phone);
    const { signal } = simulator.simulation.phones.get(contact)!;
    const bundle = signal.bundle.bind(signal);
    const forged = spyOn(signal, "bundle").mockImplementation(() => {
      const { signedPreKey, ...rest } = bundle();
      return { ...rest, signedPreKey: { ...signedPreKey, signature: Buffer.alloc(64, 7) } };
    });
    const message = text(contact, "to an impostor");
    for (const status of ["retry", "retry", "failed"] as const)
      expect((await shard.send(business, [message]))[0]?.status).toBe(status);
    expect((await screenOf(simulator, contact)).texts).toEqual([]);
    forged.mockRestore();
    expect((await shard.send(business, [text(contact, "to the contact")]))[0]?.status).toBe("sent");
  });
});
