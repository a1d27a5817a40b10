import { beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, statusIn } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

/** Shows a QR code and has the business's phone scan it. */
async function scanQr(): Promise<void> {
  const { shard, simulator, business, phone } = scenario;
  await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
  const { qr } = await shard.reaches(business, "qr");
  await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
}

async function endStatus(): Promise<string> {
  const { shard, business } = scenario;
  await until(async () => ["open", "logged_out"].includes((await shard.view(business)).status), {
    what: "an end",
  });
  return (await shard.view(business)).status;
}

describe("pairing", () => {
  test("works by a code entered on the phone", async () => {
    const { simulator, shard, business, phone } = scenario;
    await makePhone(simulator, phone);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const { code } = await shard.reaches(business, "code");
    expect(code).toMatch(/^[A-Z0-9]{8}$/);
    await control(simulator, "POST", `/phones/${phone}/enter_code`, { code });
    await shard.reaches(business, "open");
  });

  test.each([400, 429])("reports that WhatsApp refuses the code (%d)", async (code) => {
    const { simulator, shard, business, phone, fault } = scenario;
    await makePhone(simulator, phone);
    await fault("code_refuse", { code, times: 1 });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const refused = await until(
      async () => {
        const view = await shard.view(business);
        return view.reason?.includes(String(code)) ? view : undefined;
      },
      { what: "the refusal" },
    );
    expect(refused).toMatchObject({ status: "disconnected", paired: false });
    const statuses = async () => (await shard.readJournal("events")).map(({ data }) => statusIn(data));
    await until(async () => (await statuses()).at(-1) === "disconnected", { what: "the event" });
    expect(await statuses()).not.toContain("code");
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    expect((await shard.reaches(business, "code")).code).toBeDefined();
  });

  test("names the device on the phone", async () => {
    const { simulator, business, phone } = scenario;
    await scenario.restart({ deviceName: "Windows" });
    const { shard } = scenario;
    const linkedAs = async (more: object) => {
      await makePhone(simulator, phone);
      const id = business.replace(/^./, String(Object.keys(more).length));
      await shard.json("POST", `/sessions/${id}/connect`, { method: "qr", ...more });
      const { qr } = await shard.reaches(id, "qr");
      await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
      await shard.reaches(id, "open");
      const { devices } = await control<{ devices: { name: string }[] }>(simulator, "GET", `/phones/${phone}`);
      return devices.at(-1)?.name;
    };
    expect(await linkedAs({})).toBe("Windows");
    expect(await linkedAs({ device_name: "Padaria São João" })).toBe("Padaria São João");
    for (const device_name of ["", "a".repeat(51), "a\nb", "<b>", " x"]) {
      const refused = await shard.request("POST", `/sessions/${business}/connect`, { method: "qr", device_name });
      expect(refused.status).toBe(400);
    }
  });

  test("does not take an early 401 for a logout", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await makePhone(simulator, phone);
    await fault("login_failure", { reason: "401", times: 1 });
    await scanQr();
    await shard.reaches(business, "open");
  });
});

describe("a login that WhatsApp does not know everywhere yet", () => {
  beforeEach(async () => {
    const { shard, simulator, business, phone, fault } = scenario;
    await makePhone(simulator, phone);
    await fault("login_failure", { reason: "401", times: 2 });
    await scanQr();
    await until(async () => (await shard.view(business)).reason?.includes("401"), { what: "the first refusal" });
  });

  test("opens although the shard restarts in between", async () => {
    await scenario.restart();
    expect(await endStatus()).toBe("open");
  });

  test("opens although a connect is requested in between", async () => {
    const { shard, business } = scenario;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    expect(await endStatus()).toBe("open");
  });
});

describe("pairings in a loop", () => {
  test("open ten connections a minute", async () => {
    const { simulator, shard, business, phone } = scenario;
    await makePhone(simulator, phone);
    const { stats } = simulator.simulation;
    const before = stats.connections_opened;
    const connect = (body: object) => shard.request("POST", `/sessions/${business}/connect`, body);
    const statuses: number[] = [];
    for (let n = 0; n < 15; n++) {
      statuses.push((await connect({ method: "code", phone })).status, (await connect({ method: "qr" })).status);
    }
    // The tenth is by QR code: the requests for one that follow only prolong it.
    const later = Array.from({ length: 10 }, () => [429, 202]).flat();
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 202), ...later]);
    // The pairing in progress goes on, and is prolonged.
    await shard.reaches(business, "qr");
    expect((await connect({ method: "qr" })).status).toBe(202);
    expect(stats.connections_opened - before).toBeLessThanOrEqual(10);
  });
});
