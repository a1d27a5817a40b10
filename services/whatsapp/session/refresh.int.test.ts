import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, statusIn } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

type Refresh = { id: string; acknowledged: boolean };
const refresh = (shown: object) => control<Refresh>(scenario.simulator, "POST", "/pairing/refreshes", shown);
const acknowledged = async (id: string) =>
  (await control<{ data: Refresh[] }>(scenario.simulator, "GET", "/pairing/refreshes")).data.find(
    (other) => other.id === id,
  )?.acknowledged;
const scan = (qr: string) => control(scenario.simulator, "POST", `/phones/${scenario.phone}/scan`, { qr });
const parts = (qr: string) => qr.slice(qr.indexOf("#") + 1).split(",");

async function shownQr(): Promise<string> {
  const { shard, simulator, business, phone } = scenario;
  await makePhone(simulator, phone);
  await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
  return (await shard.reaches(business, "qr")).qr!;
}

/** A QR code other than `before`. */
const redrawn = (before: string): Promise<string> =>
  until<string | undefined>(
    async () => {
      const { qr } = await scenario.shard.view(scenario.business);
      return qr === before ? undefined : (qr ?? undefined);
    },
    { what: "the QR to be redrawn" },
  );

describe("a QR code that WhatsApp has retired", () => {
  test.each(["companion_reg_refresh", "pair-device-rotate-qr"])(
    "is redrawn with a new secret and links (%s)",
    async (form) => {
      const qr = await shownQr();
      const { id } = await refresh({ qr, form });
      const next = await redrawn(qr);
      const [before, after] = [parts(qr), parts(next)];
      expect(after[3]).not.toBe(before[3]);
      expect(Buffer.from(after[3]!, "base64")).toHaveLength(32);
      expect(after.toSpliced(3, 1)).toEqual(before.toSpliced(3, 1));
      await until(() => acknowledged(id), { what: "the acknowledgement" });
      await expect(scan(qr)).rejects.toThrow("409");
      await scan(next);
      await scenario.shard.reaches(scenario.business, "open");
    },
  );

  test("stays linked when the notification follows the link", async () => {
    const qr = await shownQr();
    const scanning = scan(qr);
    const refreshing = refresh({ qr }).catch(() => undefined);
    await scanning;
    await refreshing;
    await scenario.shard.reaches(scenario.business, "open");
    expect((await scenario.shard.readJournal("events")).filter(({ data }) => statusIn(data) === "qr")).toHaveLength(1);
  });
});

describe("a refresh while a pairing code is in use", () => {
  test("waits until the code has linked", async () => {
    const { shard, simulator, business, phone } = scenario;
    await makePhone(simulator, phone);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const { code } = await shard.reaches(business, "code");
    const { id } = await refresh({ phone });
    expect(await acknowledged(id)).toBeFalse();
    expect((await shard.view(business)).code).toBe(code);
    await control(simulator, "POST", `/phones/${phone}/enter_code`, { code });
    await shard.reaches(business, "open");
    await until(() => acknowledged(id), { what: "the acknowledgement" });
  });
});
