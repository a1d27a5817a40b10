import { describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { freshPhone, paired } from "../../testing/control.ts";
import { jid, observe, simulatorScenario } from "../../testing/scenario.ts";

const scenario = simulatorScenario();

const lidOf = async (phone: string) => `${(await scenario.api.get<{ lid: string }>(`/phones/${phone}`)).body.lid}@lid`;

describe("the names of an account", () => {
  test.each([
    ["number", (phone: string, lid: string) => ({ remoteJid: jid(phone), remoteJidAlt: lid })],
    ["lid", (phone: string, lid: string) => ({ remoteJid: lid, remoteJidAlt: jid(phone) })],
    ["lid_only", (_: string, lid: string) => ({ remoteJid: lid, remoteJidAlt: undefined })],
  ] as const)("in its messages are %s", async (naming, keyOf) => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/phones", { phone: contact, naming });
    const { received } = observe(await openClient(auth));
    await api.post(`/phones/${contact}/messages`, { to: phone, text: "hello" });
    await until(() => received.length === 1, { what: "the message" });
    const { remoteJid, remoteJidAlt } = received[0]!.message.key;
    expect({ remoteJid, remoteJidAlt }).toEqual(keyOf(contact, await lidOf(contact)));
  });

  test("include spellings that usync alone accepts", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const [contact, spelling] = [freshPhone(), freshPhone()];
    await api.post("/phones", { phone: contact, spellings: [spelling] });
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    expect(await sock.onWhatsApp(spelling)).toEqual([{ jid: jid(contact), exists: true }]);
    await sock.sendMessage(jid(spelling), { text: "lost" }).catch(() => {});
    await sock.sendMessage(jid(contact), { text: "found" });
    await until(async () => (await api.texts(contact)).length > 0, { what: "the message" });
    expect(await api.texts(contact)).toEqual(["found"]);
    const accepted = () => acks.filter(({ error }) => error === undefined);
    await until(() => accepted().length > 0, { what: "the acknowledgement" });
    expect(accepted()).toHaveLength(1);
  });
});
