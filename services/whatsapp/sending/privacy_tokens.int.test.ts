import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const give = (by: "notification" | "history") =>
  control(scenario.simulator, "POST", `/phones/${scenario.contact}/privacy_tokens`, { to: scenario.phone, by });
/** Pairs, and waits until the shard has read the history that the phone shares. */
const pairWithHistory = async () => {
  await scenario.shard.pair(scenario.simulator, scenario.business, scenario.phone);
  await until(async () => (await scenario.waitingMail()) === 0, { what: "the data that follows a pairing" });
};
const send = async (to: string, body: string) => (await scenario.shard.send(scenario.business, [text(to, body)]))[0];

describe("the privacy token of a contact", () => {
  test("from the history reaches an old customer", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await makePhone(simulator, phone);
    await give("history");
    await fault("token_required");
    await pairWithHistory();
    expect(await send(contact, "welcome back")).toMatchObject({ status: "sent" });
    await scenario.restart();
    await shard.reaches(business, "open");
    expect(await send(contact, "after a restart")).toMatchObject({ status: "sent" });
    expect((await screenOf(simulator, contact)).texts).toEqual(["welcome back", "after a restart"]);
  });

  test("of a new contact is computed from a salt", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    const contact_salt = randomBytes(16).toString("base64");
    await control(simulator, "POST", "/phones", { phone, name: "The shop", contact_salt });
    await fault("token_required");
    await pairWithHistory();
    expect(await send(contact, "good morning")).toMatchObject({ status: "sent" });
    const { lid } = simulator.simulation.phones.get(contact)!;
    expect(await send(`${lid}@lid`, "by LID")).toMatchObject({ status: "sent" });
    await scenario.restart();
    await shard.reaches(business, "open");
    const other = newPhone();
    await makePhone(simulator, other);
    expect(await send(other, "after a restart")).toMatchObject({ status: "sent" });
    await control(simulator, "POST", "/phones", { phone, contact_salt: randomBytes(16).toString("base64") });
    const third = newPhone();
    await makePhone(simulator, third);
    expect(await send(third, "under an old salt")).toMatchObject({ status: "failed", error: { code: "463" } });
  });

  test("of a new contact follows the app state's salt", async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    const newContact = async () => {
      const contact = newPhone();
      await makePhone(simulator, contact);
      return contact;
    };
    const change = (salt: string | null) => control(simulator, "PUT", `/phones/${phone}/contact_salt`, { salt });
    const arrived = () =>
      until(async () => (await scenario.waitingMail()) === 0, { what: "the change to be acknowledged" });
    await makePhone(simulator, phone);
    await change(randomBytes(16).toString("base64"));
    await fault("token_required");
    await shard.pair(simulator, business, phone);
    const reached = async () => (await send(await newContact(), "good morning"))?.status === "sent";
    await until(reached, { what: "the salt from before the link" });
    await change(randomBytes(16).toString("base64"));
    await arrived();
    expect(await send(await newContact(), "under another salt")).toMatchObject({ status: "sent" });
    await scenario.restart();
    await shard.reaches(business, "open");
    expect(await send(await newContact(), "after a restart")).toMatchObject({ status: "sent" });
    await change(null);
    await arrived();
    expect(await send(await newContact(), "without a salt")).toMatchObject({ error: { code: "463" } });
  });

  test("delays no message while the app state is slow", async () => {
    const { simulator, phone, contact, fault } = scenario;
    await pairWithHistory();
    await until(async () => (await send(contact, "first"))?.status === "sent", { what: "the device list" });
    const { queries } = simulator.simulation.stats;
    const before = queries["w:sync:app:state"] ?? 0;
    // Longer than a batch of messages may take: a message behind the fetch would be undecided.
    await fault("query_late", { query: "app_state", ms: 30_000 });
    await control(simulator, "PUT", `/phones/${phone}/contact_salt`, { salt: randomBytes(16).toString("base64") });
    await until(() => (queries["w:sync:app:state"] ?? 0) > before, { what: "a fetch" });
    expect(await send(contact, "meanwhile")).toMatchObject({ status: "sent" });
  });

  // Each fetch shows a notification on the phone.
  test("causes one fetch of the app state", async () => {
    const { shard, simulator, business } = scenario;
    const fetches = () => simulator.simulation.stats.queries["w:sync:app:state"] ?? 0;
    const before = fetches();
    await pairWithHistory();
    await until(() => fetches() > before, { what: "a fetch" });
    for (let n = 0; n < 2; n++) {
      await scenario.restart();
      await shard.reaches(business, "open");
      expect(await send(scenario.contact, "open")).toMatchObject({ status: "sent" });
    }
    expect(fetches()).toBe(before + 1);
  });

  test("from a notification is sent along from then on", async () => {
    const { shard, simulator, business, phone, contact, fault, waitingMail } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("token_required");
    expect(await send(contact, "too early")).toMatchObject({ status: "failed", error: { code: "463" } });
    await give("notification");
    await until(async () => (await waitingMail()) === 0, { what: "the notification to be acknowledged" });
    expect(await send(contact, "by number")).toMatchObject({ status: "sent" });
    const { lid } = simulator.simulation.phones.get(contact)!;
    expect(await send(`${lid}@lid`, "by LID")).toMatchObject({ status: "sent" });
    await scenario.restart();
    await shard.reaches(business, "open");
    expect(await send(contact, "after a restart")).toMatchObject({ status: "sent" });
  });
});
