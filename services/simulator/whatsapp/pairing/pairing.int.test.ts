import { describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { connectionUpdate, ending, memoryAuth } from "../../testing/client.ts";
import { linkDirectly } from "../../testing/direct_link.ts";
import { freshPhone, paired } from "../../testing/control.ts";
import { observe, simulatorScenario } from "../../testing/scenario.ts";
import type { PhoneView } from "../../testing/scenario.ts";
import type { DirectLink } from "./direct_link.ts";

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

  test("without a connection links a client that logs in", async () => {
    const { api, openClient } = scenario;
    const [phone, contact] = [freshPhone(), freshPhone()];
    await api.post("/phones", { phone, name: "Direct" });
    const { creds, preKeys } = await linkDirectly(
      async (registration) => (await api.post<DirectLink>(`/phones/${phone}/links`, registration)).body,
    );
    const auth = { ...memoryAuth(), creds };
    await auth.keys.set({ "pre-key": preKeys });
    const seen = observe(await openClient(auth));
    expect(auth.creds.me).toMatchObject({ id: `${phone}:1@s.whatsapp.net`, name: "Direct" });
    await api.post(`/phones/${contact}/messages`, { to: phone, text: "hello" });
    await until(() => seen.received.some(({ text }) => text === "hello"), { what: "the message" });
  });

  test("without a connection refuses keys of another size", async () => {
    const phone = freshPhone();
    await scenario.api.post("/phones", { phone });
    const answer = await scenario.api.post(`/phones/${phone}/links`, { noise_key: "AAAA" });
    expect(answer.status).toBe(400);
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
