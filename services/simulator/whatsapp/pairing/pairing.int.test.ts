import { describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { connectionUpdate, ending, memoryAuth } from "../../testing/client.ts";
import { freshPhone, paired } from "../../testing/control.ts";
import { simulatorScenario } from "../../testing/scenario.ts";
import type { PhoneView } from "../../testing/scenario.ts";

const scenario = simulatorScenario();

describe("pairing", () => {
  test("by QR links the client, which then logs in", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    expect(auth.creds.me?.name).toBe(`Shop ${phone}`);
    await openClient(auth);
    const { body } = await api.get<PhoneView>(`/phones/${phone}`);
    expect(body.devices).toMatchObject([{ device: 1, online: true }]);
  });

  test("by QR refuses an unknown code", async () => {
    const { api } = scenario;
    const phone = freshPhone();
    await api.post("/phones", { phone });
    expect((await api.post(`/phones/${phone}/scan`, { qr: "2@abc,a,b,c,1" })).status).toBe(409);
  });

  test("by code links the client; refuses a wrong code", async () => {
    const { api, client, openClient } = scenario;
    const phone = freshPhone();
    await api.post("/phones", { phone, name: "By code" });
    const auth = memoryAuth();
    const sock = client(auth);
    await connectionUpdate(sock, (update) => update.qr);
    const code = await sock.requestPairingCode(phone);
    expect((await api.post(`/phones/${phone}/enter_code`, { code: "AAAAAAAA" })).status).toBe(409);
    const ended = ending(sock);
    expect((await api.post(`/phones/${phone}/enter_code`, { code })).status).toBe(200);
    expect(await ended).toBe(515);
    await openClient(auth);
    expect(auth.creds.me?.id).toBe(`${phone}:2@s.whatsapp.net`);
  });

  test("ends with a logout, which unlinks the device", async () => {
    const { simulator, api, client, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    await sock.logout();
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices.length === 0, {
      what: "the device to be removed",
    });
    expect(await ending(client(auth))).toBe(401);
  });
});
