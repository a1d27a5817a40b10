import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, statusIn, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const logins = () => scenario.simulator.simulation.stats.logins;
const attempts = () => scenario.simulator.simulation.stats.connections_opened;

/** The next login is answered by `<failure>`. */
async function endWith(failure: object): Promise<void> {
  await scenario.fault("login_failure", failure);
  await scenario.fault("drop");
}

describe("a temporary ban (402)", () => {
  test("is reported with cause and end, without earlier attempts", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const before = Date.now();
    await endWith({ reason: "402", expire: 3600, code: 101 });
    const view = await shard.reaches(business, "banned");
    expect(view).toMatchObject({ paired: true, reason: expect.stringContaining("402") });
    expect(Date.parse(view.banned_until!) - 3_600_000).toBeWithin(before, Date.now() + 1);
    const [tried, opened] = [attempts(), logins()];
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    expect(await shard.view(business)).toMatchObject({ status: "banned", banned_until: view.banned_until });
    const refused = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [text(contact, "waits")],
    });
    expect(refused.status).toBe(503);

    await scenario.restart();
    expect(await scenario.shard.view(business)).toMatchObject({ status: "banned", banned_until: view.banned_until });
    expect([attempts(), logins()]).toEqual([tried, opened]);
    const events = (await scenario.shard.readJournal("events")).map(({ data }) => statusIn(data));
    expect(events).toContain("banned");
  });

  test("ends by itself", async () => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await endWith({ reason: "402", expire: 2, times: 1 });
    const statuses = async () => (await shard.readJournal("events")).map(({ data }) => statusIn(data));
    await until(async () => (await statuses()).includes("banned"), { what: "the ban" });
    await shard.reaches(business, "open");
    expect((await shard.view(business)).banned_until ?? null).toBeNull();
  });

  test("that ended while the shard was down is over", async () => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await endWith({ reason: "402", expire: 3, times: 1 });
    const { banned_until } = await shard.reaches(business, "banned");
    await shard.stop();
    await until(() => Date.now() > Date.parse(banned_until!), { what: "the end of the ban" });
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
  });
});

describe("a login that WhatsApp refuses permanently", () => {
  test("406 is a logout", async () => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await endWith({ reason: "406" });
    expect(await shard.reaches(business, "logged_out")).toMatchObject({
      paired: false,
      reason: expect.stringContaining("406"),
    });
  });

  test.each(["400", "409", "413", "414", "415", "418", "501"])("%s stops and waits for a person", async (reason) => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await endWith({ reason });
    expect(await shard.reaches(business, "disconnected")).toMatchObject({
      paired: true,
      reason: expect.stringContaining(reason),
    });
    const tried = attempts();
    await scenario.restart();
    expect(await scenario.shard.view(business)).toMatchObject({ status: "disconnected" });
    expect(attempts()).toBe(tried);
  });

  test.each(["500", "503"])("%s is tried again", async (reason) => {
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    const before = logins();
    await endWith({ reason, times: 1 });
    await until(async () => logins() > before && (await shard.view(business)).status === "open", {
      what: "the login",
    });
  });
});

describe("a stream error that is no logout", () => {
  test.each([{ code: "401" }, { code: "516" }, { code: "440" }, { conflict: "unheard of" }])(
    "%p keeps the login and raises an alarm",
    async (error) => {
      const { shard, simulator, business, phone, fault, metric } = scenario;
      await shard.pair(simulator, business, phone);
      expect(await fault("stream_error", error)).toMatchObject({ struck: 1 });
      await until(async () => (await shard.view(business)).reason?.includes("unknown reason"), { what: "the reason" });
      expect(await shard.view(business)).toMatchObject({ status: "connecting", paired: true });
      expect(await metric("prosaas_whatsapp_alarms_total")).toBe(1);
    },
  );

  // WhatsApp sends <ack> for a stanza that was not acknowledged, and delivers it again after the next login.
  test.each(["ack", "xml-not-well-formed"])("<%s> reconnects at once", async (child) => {
    const { shard, simulator, business, phone, fault, metric } = scenario;
    await shard.pair(simulator, business, phone);
    const before = logins();
    expect(await fault("stream_error", { child })).toMatchObject({ struck: 1 });
    // The shortest wait after an unknown end.
    await until(() => logins() > before, { what: "the next login", deadlineMs: 15_000 });
    await shard.reaches(business, "open");
    expect(await metric("prosaas_whatsapp_alarms_total")).toBe(0);
  });

  test("replaced is a conflict whatever its code", async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("stream_error", { code: "401", conflict: "replaced" });
    expect(await shard.reaches(business, "conflict")).toMatchObject({ paired: true });
  });
});

describe("a client version that WhatsApp has retired (405)", () => {
  test("is replaced by a setting, without a restart", async () => {
    let version: string | undefined;
    await scenario.restart({ waVersion: () => version });
    const { shard, simulator, business, phone } = scenario;
    await shard.pair(simulator, business, phone);
    await scenario.fault("outdated", { minimum: "2.4000.1" });
    await scenario.fault("drop");
    await until(async () => (await shard.view(business)).reason?.includes("405"), { what: "the refusal" });
    version = "2.4000.2";
    shard.shard.versionChanged();
    // The next attempt alone would come after at least five minutes.
    await shard.reaches(business, "open");
  });

  test("is replaced for a pairing too", async () => {
    let version: string | undefined;
    await scenario.restart({ waVersion: () => version });
    const { shard, simulator, business, phone } = scenario;
    await makePhone(simulator, phone);
    await scenario.fault("outdated", { minimum: "2.4000.1", phone: undefined });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await until(async () => (await shard.view(business)).reason?.includes("405"), { what: "the refusal" });
    version = "2.4000.2";
    shard.shard.versionChanged();
    await shard.reaches(business, "qr");
  });
});
