import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("a device that left no keys at WhatsApp", () => {
  test.each([404, 406])("leaves the message to the other devices (%d)", async (code) => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    // The customer has a companion device: a second business of this shard.
    await shard.pair(simulator, uuidv7(), contact);
    const [device] = simulator.simulation.phones.get(contact)!.devices.keys();
    await fault("no_keys", { phone: contact, device, code });
    expect(await shard.send(business, [text(contact, "to the phone alone")])).toMatchObject([{ status: "sent" }]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["to the phone alone"]);
  });

  test("of the business itself does not block its messages", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await fault("no_keys", { phone });
    await shard.pair(simulator, business, phone);
    expect(await shard.send(business, [text(contact, "without a copy")])).toMatchObject([{ status: "sent" }]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["without a copy"]);
  });

  test("of a group member does not affect the others", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    const keyless = newPhone();
    await makePhone(simulator, keyless);
    await fault("no_keys", { phone: keyless });
    await shard.pair(simulator, business, phone);
    const { id } = await control<{ id: string }>(simulator, "POST", "/groups", {
      subject: "Team",
      members: [phone, contact, keyless],
    });
    for (const body of ["one", "two"])
      expect(await shard.send(business, [text(id, body)])).toMatchObject([{ status: "sent" }]);
    await until(async () => (await screenOf(simulator, contact)).texts.length === 2, { what: "both messages" });

    // Once it has keys, the next message carries the sender key.
    await control(simulator, "DELETE", "/faults");
    expect(await shard.send(business, [text(id, "three")])).toMatchObject([{ status: "sent" }]);
    await until(async () => (await screenOf(simulator, keyless)).texts.includes("three"), {
      what: "the message to all",
    });
  });

  test("as the recipient's only one delays only its chat", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    const keyless = newPhone();
    await makePhone(simulator, keyless);
    await fault("no_keys", { phone: keyless, times: 2 });
    await shard.pair(simulator, business, phone);
    const batch = [text(keyless, "later"), text(contact, "at once")];
    expect(await shard.send(business, batch)).toMatchObject([{ status: "retry" }, { status: "sent" }]);
    await until(async () => (await shard.send(business, [batch[0]!]))[0]?.status === "sent", {
      what: "the message to be sent",
    });
  });
});
