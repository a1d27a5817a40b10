import { describe, expect, test } from "bun:test";
import type { PacingView } from "../../../lib/contracts/shard/pacing.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
/** Paced, but faster than a test needs. */
const pacing = {
  enabled: true,
  messages_per_minute: 1_000,
  burst: 100,
  first_contact_gap_s: 0,
  first_contacts_per_day: 1_000,
  warm_up_days: 0,
};
const inS = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

const restrict = (standing: object) =>
  control(scenario.simulator, "PUT", `/phones/${scenario.phone}/standing`, standing);
const view = async () => {
  const { shard, business } = scenario;
  const body = { settings: pacing };
  return (await shard.json<PacingView>("POST", `/sessions/${business}/pacing/view`, body)).state.whatsapp;
};
const known = (what: string, is: (whatsapp: Awaited<ReturnType<typeof view>>) => boolean) =>
  until(async () => is(await view()), { what });
const stranger = async () => {
  const phone = newPhone();
  await makePhone(scenario.simulator, phone);
  return phone;
};

describe("WhatsApp's restrictions of an account", () => {
  test("are read after linking and kept across restarts", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await makePhone(simulator, phone);
    const ends = inS(3_600);
    await restrict({ locked_until: ends, new_chats: { total: 50, used: 7, ends_at: ends } });
    await shard.pair(simulator, business, phone);
    await known("the restrictions", (whatsapp) => whatsapp?.read_at != null);
    const resets_at = new Date(ends * 1_000).toISOString();
    const expected = { locked_until: resets_at, new_chats: { total: 50, used: 7, resets_at } };
    expect(await view()).toMatchObject(expected);
    const { stats } = simulator.simulation;
    const asked = stats.queries["w:mex"];
    await scenario.restart();
    await shard.reaches(business, "open");
    expect(await view()).toMatchObject(expected);
    // A query at the start would precede the message.
    expect((await shard.send(business, [text(contact, "hello")]))[0]?.status).toBe("sent");
    expect(stats.queries["w:mex"]).toBe(asked);
  });

  test("hold new chats during a reach-out time lock", async () => {
    const { shard, simulator, business, phone, contact, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await contactWrites("hello");
    await until(async () => (await received()).length === 1, { what: "the customer's message" });
    await restrict({ locked_until: inS(3_600) });
    await known("the lock", (whatsapp) => whatsapp?.locked_until != null);
    const newcomer = await stranger();
    const send = () => shard.send(business, [text(newcomer, "first"), text(contact, "an answer")], pacing);
    const [first, answer] = await send();
    expect(first).toMatchObject({ status: "paced", holds: "first_contacts" });
    expect(first!.wait_ms! / 3_600_000).toBeCloseTo(1, 1);
    expect(answer).toMatchObject({ status: "sent" });
    await restrict({});
    await known("the end of the lock", (whatsapp) => whatsapp?.locked_until === null);
    expect((await shard.send(business, [text(newcomer, "first")], pacing))[0]).toMatchObject({ status: "sent" });
  });

  test("cap new chats, and count those started since", async () => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await restrict({ new_chats: { total: 10, used: 8, ends_at: inS(7_200) } });
    await known("the cap", (whatsapp) => whatsapp?.new_chats?.total === 10);
    const strangers = await Promise.all([stranger(), stranger(), stranger()]);
    const results = await shard.send(
      business,
      strangers.map((to) => text(to, "an offer")),
      pacing,
    );
    expect(results.map(({ status }) => status)).toEqual(["sent", "sent", "paced"]);
    expect(results[2]!.wait_ms! / 3_600_000).toBeCloseTo(2, 1);
    expect((await view())?.new_chats?.used).toBe(10);
  });

  test("do not follow a refusal in a known chat", async () => {
    const { shard, simulator, business, phone, contact, contactWrites, received, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await contactWrites("hello");
    await until(async () => (await received()).length === 1, { what: "the customer's message" });
    await fault("ack_refuse", { code: 463, times: 1 });
    const [refused] = await shard.send(business, [text(contact, "an answer")], pacing);
    expect(refused).toMatchObject({ status: "failed", error: { code: "463" } });
    const newcomer = await stranger();
    expect((await shard.send(business, [text(newcomer, "first")], pacing))[0]).toMatchObject({ status: "sent" });
    await fault("ack_refuse", { code: 463, times: 1 });
    const strangers = [await stranger(), await stranger()];
    const send = (to: string) => shard.send(business, [text(to, "an offer")], pacing);
    expect((await send(strangers[0]!))[0]).toMatchObject({ status: "failed", error: { code: "463" } });
    expect((await send(strangers[1]!))[0]).toMatchObject({ status: "paced", holds: "first_contacts" });
  });
});
