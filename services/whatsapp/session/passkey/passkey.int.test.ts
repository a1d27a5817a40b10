import { beforeEach, describe, expect, test } from "bun:test";
import type { SessionView } from "../../../../lib/contracts/shard/schemas.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Deviation } from "../../../simulator/testing/authenticator.ts";
import { PasskeyLink } from "../../testing/passkey_link.ts";
import { shardScenario } from "../../testing/scenario.ts";
import { control, statusIn } from "../../testing/shard_under_test.ts";
import { defaultPasskeyTimes } from "./progress.ts";

const scenario = shardScenario();
let link: PasskeyLink;
beforeEach(() => {
  link = new PasskeyLink(() => scenario);
});

const isOpen = () => scenario.shard.reaches(scenario.business, "open");
const ended = async (): Promise<SessionView> => scenario.shard.reaches(scenario.business, "disconnected");

describe("a phone that requires a passkey", () => {
  test("is linked by QR code without comparing a code", async () => {
    await link.require();
    await link.scan();
    const passkey = await link.reaches("assertion");
    expect(passkey.options).toMatchObject({ rpId: "whatsapp.com", allowCredentials: [{ id: link.authenticator.id }] });
    expect(Date.parse(passkey.expires_at)).toBeGreaterThan(Date.now());
    expect((await link.approve(passkey)).status).toBe(202);
    const { phone } = await isOpen();
    expect(phone).toBe(scenario.phone);
    expect(await link.onPhone()).toMatchObject({ step: "linked", proof: true, failures: [] });
  });

  test("is linked by pairing code", async () => {
    const { shard, simulator, business, phone } = scenario;
    await link.require();
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const { code } = await shard.reaches(business, "code");
    await control(simulator, "POST", `/phones/${phone}/enter_code`, { code });
    await link.approve(await link.reaches("assertion"));
    await isOpen();
    expect(await link.onPhone()).toMatchObject({ proof: true, failures: [] });
  });

  test.each(["unparsable", "missing"])("is linked with %s options", async (options) => {
    await link.require({ options });
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    await isOpen();
  });

  test("is linked after a broken connection", async () => {
    await link.require();
    await link.scan();
    const { options } = await link.reaches("assertion");
    await link.onPhone("POST", "/cancel");
    const again = await link.reaches("assertion", (passkey) => passkey.options!.challenge !== options!.challenge);
    expect(again.reason).toContain("connection");
    await link.approve(again);
    await isOpen();
    expect(await link.onPhone()).toMatchObject({ proof: true, failures: [] });
  });

  test("is linked after a restart of the shard", async () => {
    await link.require();
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    await scenario.restart();
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    await isOpen();
  });

  test("journals the steps without secrets", async () => {
    await link.require();
    await link.scan();
    const passkey = await link.reaches("assertion");
    await link.approve(passkey);
    await isOpen();
    const journal = () => scenario.shard.readJournal("events");
    await until(async () => statusIn((await journal()).at(-1)!.data) === "open", { what: "the last event" });
    const entries = await journal();
    const names = entries.map(({ data }) => statusIn(data) ?? (data.event === "session.passkey" ? data.step : ""));
    expect(names.slice(0, 6)).toEqual(["connecting", "qr", "passkey", "assertion", "phone", "linking"]);
    expect(JSON.stringify(entries)).not.toContain(passkey.options!.challenge);
  });

  test("appears in lists without the challenge", async () => {
    await link.require();
    await link.scan();
    await link.reaches("assertion");
    const { data } = await scenario.shard.json<{ data: object[] }>("GET", "/sessions");
    expect(data).toMatchObject([{ status: "passkey" }]);
    expect(data[0]).not.toHaveProperty("passkey");
  });
});

describe("the confirmation code", () => {
  beforeEach(async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, handoffMs: 0 } });
  });

  test("is compared once the proof has expired", async () => {
    await link.require();
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    const { code } = await link.reaches("confirmation");
    expect(code).toMatch(/^[1-9A-Z]{4}-[1-9A-Z]{4}$/);
    expect(await link.onPhone()).toMatchObject({ code, proof: false, step: "compare" });
    const wrong = code!.replace(/^./, (letter) => (letter === "7" ? "8" : "7"));
    expect((await link.answer("confirm", { code: wrong })).status).toBe(409);
    const confirmed = await Promise.all([link.answer("confirm", { code }), link.answer("confirm", { code })]);
    expect(confirmed.map(({ status }) => status)).toEqual([202, 202]);
    await isOpen();
  });

  test("differs from the phone's if somebody is in between", async () => {
    await link.require({ outcome: "other_code" });
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    const { code } = await link.reaches("confirmation");
    const shown = (await link.onPhone()).code;
    expect(shown).not.toBe(code!);
    expect((await link.answer("confirm", { code: shown })).status).toBe(409);
    await scenario.shard.json("DELETE", `/sessions/${scenario.business}`);
    expect((await link.onPhone()).step).toBe("compare");
  });
});

describe("an assertion", () => {
  test.each<[string, number, Deviation]>([
    ["another challenge", 409, { challenge: "AAAA" }],
    ["https://example.com", 400, { origin: "https://example.com" }],
    ["another domain", 400, { rpId: "example.com" }],
    ["without a person", 400, { flags: 0 }],
    ["none of this account's", 400, { id: "AAAA" }],
  ])("is refused with words: %s", async (words, status, deviation) => {
    await link.require();
    await link.scan();
    const refused = await link.approve(await link.reaches("assertion"), deviation);
    expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
      status,
      expect.stringContaining(words),
    ]);
    await link.approve(await link.reaches("assertion"));
    await isOpen();
  });

  test("counts once when posted twice", async () => {
    await link.require();
    await link.scan();
    const { options } = await link.reaches("assertion");
    const assertion = link.authenticator.assert(options!);
    const answers = await Promise.all([1, 2, 3].map(() => link.answer("assertion", assertion)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    await isOpen();
    expect((await link.onPhone()).failures).toEqual([]);
    expect((await link.answer("assertion", assertion)).status).toBe(409);
  });

  test("of an expired challenge gets a new challenge", async () => {
    await link.require({ timeout_ms: 1 });
    await link.scan();
    const first = await link.reaches("assertion");
    await link.approve(first);
    const second = await link.reaches("assertion", ({ reason }) => reason != null);
    expect(second.reason).toContain("403");
    expect(second.options!.challenge).not.toBe(first.options!.challenge);
    expect((await link.onPhone()).failures).toEqual(["the challenge has expired"]);
    expect((await link.answer("assertion", link.authenticator.assert(first.options!))).status).toBe(409);
  });

  test("ends the link after three refusals", async () => {
    await link.require({ outcome: "refuse" });
    await link.scan();
    let challenge = "";
    for (let i = 0; i < 3; i++) {
      const passkey = await link.reaches("assertion", ({ options }) => options!.challenge !== challenge);
      challenge = passkey.options!.challenge;
      await link.approve(passkey);
    }
    expect((await ended()).reason).toContain("refused the passkey 3 times");
  });

  test("is not accepted before a passkey is requested", async () => {
    const { shard, business } = scenario;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "qr");
    expect((await link.answer("assertion", link.authenticator.assert({ challenge: "AAAA" }))).status).toBe(409);
    expect((await link.answer("confirm", { code: "1111-1111" })).status).toBe(409);
  });
});

describe("the times", () => {
  test("renew a challenge that was not used", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, challengeMs: 200 } });
    await link.require({ timeout_ms: 200 });
    await link.scan();
    const { options } = await link.reaches("assertion");
    await link.reaches("assertion", (passkey) => passkey.options!.challenge !== options!.challenge);
  });

  test("end a link that is never approved", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, challengeMs: 100, windowMs: 400 } });
    await link.require({ timeout_ms: 100 });
    await link.scan();
    expect((await ended()).reason).toContain("not approved in time");
  });

  test("end a link whose phone is silent", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, phoneMs: 200 } });
    await link.require({ outcome: "silent" });
    await link.scan();
    await link.approve(await link.reaches("assertion"));
    expect((await ended()).reason).toContain("the phone did not answer");
  });
});

describe("stanzas of the exchange", () => {
  test("are ignored unless they come from WhatsApp", async () => {
    await link.require();
    await link.scan();
    const before = await link.reaches("assertion");
    await link.onPhone("POST", "/spoof");
    await link.approve(before);
    await isOpen();
    expect((await link.onPhone()).failures).toEqual([]);
  });

  test("are acknowledged, and bounded in a storm", async () => {
    await link.require();
    await link.scan();
    await link.reaches("assertion");
    await link.onPhone("POST", "/request", { times: 500 });
    await until(async () => (await link.onPhone()).acknowledged === 501, { what: "501 acknowledgements" });
    const steps = (await scenario.shard.readJournal("events")).filter(({ data }) => data.event === "session.passkey");
    expect(steps).toHaveLength(1);
    // The challenge that the shard holds is not the latest: WhatsApp refuses it, and the next one is.
    await link.approve(await link.reaches("assertion"));
    await link.approve(await link.reaches("assertion", ({ reason }) => reason != null));
    await isOpen();
  });

  test("do not fill the memory with huge options", async () => {
    await link.require({ padding: 500_000 });
    await link.scan();
    expect((await ended()).reason).toContain("cannot read");
  });
});
