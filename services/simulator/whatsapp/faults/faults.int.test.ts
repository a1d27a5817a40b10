import { describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { ending } from "../../testing/client.ts";
import { freshPhone, paired } from "../../testing/control.ts";
import { deliveredStatus, jid, observe, simulatorScenario } from "../../testing/scenario.ts";

const scenario = simulatorScenario();

describe("faults", () => {
  const endings: [string, Record<string, unknown>, number][] = [
    ["a dropped connection", { kind: "drop" }, 428],
    ["a connection dropped after some frames", { kind: "drop", after_frames: 1 }, 428],
    ["another login of the device", { kind: "replaced" }, 440],
    ["removal on the phone", { kind: "logged_out" }, 401],
    ["an unavailable server", { kind: "unavailable" }, 503],
    ["a restart", { kind: "restart" }, 515],
  ];
  test.each(endings)("%s: ends the client with its status", async (_name, fault, status) => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const ended = ending(sock);
    expect((await api.post<{ struck: number }>("/faults", { ...fault, phone })).body.struck).toBe(1);
    await sock.sendPresenceUpdate("available").catch(() => undefined);
    expect(await ended).toBe(status);
  });

  test.each(["401", "403", "405", "503"])("a login refusal with %s ends one login", async (reason) => {
    const { simulator, api, client, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    await api.post("/faults", { kind: "login_failure", reason, phone, times: 1 });
    expect(await ending(client(auth))).toBe(Number(reason));
    await openClient(auth);
  });

  test("a second connection of a login replaces the first", async () => {
    const { simulator, openClient } = scenario;
    const { auth } = await paired(simulator);
    const first = await openClient(auth);
    const ended = ending(first);
    await openClient(auth);
    expect(await ended).toBe(440);
  });

  test("ack_refuse: acknowledges with the code, shows nothing", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await api.post("/faults", { kind: "ack_refuse", code: 463, phone, times: 1 });
    const sent = await sock.sendMessage(jid(contact), { text: "refused" });
    await until(() => acks.length === 1, { what: "the refusal" });
    expect(acks[0]).toMatchObject({ id: sent!.key.id!, error: "463" });
    await sock.sendMessage(jid(contact), { text: "accepted" });
    await until(() => acks.length === 2, { what: "the acknowledgement" });
    expect(await api.texts(contact)).toEqual(["accepted"]);
  });

  test("ack_delay and ack_lost: the message is shown", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await api.post("/faults", { kind: "ack_lost", phone, times: 1 });
    await sock.sendMessage(jid(contact), { text: "lost ack" });
    await api.post("/faults", { kind: "ack_delay", ms: 150, phone, times: 1 });
    const start = performance.now();
    const second = await sock.sendMessage(jid(contact), { text: "late ack" });
    await until(() => acks.length === 1, { what: "the late acknowledgement" });
    expect(performance.now() - start).toBeGreaterThanOrEqual(149);
    expect(acks[0]?.["id"]).toBe(second!.key.id!);
    expect(await api.texts(contact)).toEqual(["lost ack", "late ack"]);
  });

  test("duplicate: delivers twice under one id", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const ids: string[] = [];
    sock.ws.on(
      "CB:message,notify",
      ({ attrs }: { attrs: Record<string, string> }) => attrs["category"] || ids.push(attrs["id"]!),
    );
    await api.post("/faults", { kind: "duplicate", phone, times: 1 });
    const { body } = await api.post<{ id: string }>(`/phones/${freshPhone()}/messages`, { to: phone, text: "twice" });
    await until(() => ids.length === 2, { what: "both copies" });
    expect(ids).toEqual([body.id, body.id]);
  });

  test("ticks: reverses or omits them", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const [reversed, none] = [freshPhone(), freshPhone()];
    const sock = await openClient(auth);
    const ticks: string[] = [];
    sock.ws.on("CB:receipt", ({ attrs }: { attrs: Record<string, string> }) =>
      ticks.push(`${attrs["from"]} ${attrs["type"] ?? "delivered"}`),
    );
    await api.post("/faults", { kind: "ticks", mode: "reversed", phone: reversed });
    await api.post("/faults", { kind: "ticks", mode: "none", phone: none });
    await sock.sendMessage(jid(none), { text: "unseen" });
    await sock.sendMessage(jid(reversed), { text: "seen" });
    await until(() => ticks.length === 2, { what: "two ticks" });
    expect(ticks).toEqual([`${jid(reversed)} read`, `${jid(reversed)} delivered`]);
    expect(await api.texts(none)).toEqual(["unseen"]);
  });

  test("a phone set to delivered never ticks read", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/phones", { phone: contact, ticks: "delivered" });
    const sock = await openClient(auth);
    const { statuses } = observe(sock);
    const sent = await sock.sendMessage(jid(contact), { text: "grey ticks" });
    await until(() => statuses.get(sent!.key.id!) === deliveredStatus, { what: "the delivered tick" });
  });

  test("not_on_whatsapp: hides the number and refuses messages", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/faults", { kind: "not_on_whatsapp", phone: contact });
    const sock = await openClient(auth);
    expect(await sock.onWhatsApp(jid(contact))).toEqual([]);
    expect(await sock.onWhatsApp(jid(freshPhone()))).toMatchObject([{ exists: true }]);
    const { acks } = observe(sock);
    await sock.sendMessage(jid(contact), { text: "anybody?" });
    await until(() => acks.length === 1, { what: "the refusal" });
    expect(acks[0]?.["error"]).toBe("404");
  });

  test("unavailable at upgrade: refuses one connection", async () => {
    const { simulator, api, client, openClient } = scenario;
    const { auth } = await paired(simulator);
    await api.post("/faults", { kind: "unavailable", at: "upgrade", times: 1 });
    expect(await ending(client(auth, { connectTimeoutMs: 300 }))).toBeOneOf([408, 503, 428]);
    // The client may give up before the simulator reads its request.
    await until(async () => (await api.get<{ data: unknown[] }>("/faults")).body.data.length === 0, {
      what: "the refusal",
    });
    await openClient(auth);
  });

  test("silence: the client ends the connection", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth, { keepAliveIntervalMs: 100 });
    const ended = ending(sock);
    await api.post("/faults", { kind: "silence", phone });
    expect(await ended).toBe(408);
  });

  test("silence with answer_pings: drops messages, answers queries", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await sock.sendMessage(jid(contact), { text: "before" });
    await until(() => acks.length === 1, { what: "the acknowledgement of the message before" });
    await api.post("/faults", { kind: "silence", phone, answer_pings: true });
    await sock.sendMessage(jid(contact), { text: "into the void" });
    expect(await sock.onWhatsApp(jid(contact))).toMatchObject([{ exists: true }]);
    expect(acks).toHaveLength(1);
    expect(await api.texts(contact)).toEqual(["before"]);
  });
});
