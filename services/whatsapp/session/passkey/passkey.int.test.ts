import { beforeEach, describe, expect, test } from "bun:test";
import type { PasskeyView } from "../../../../lib/contracts/shard/passkey.ts";
import type { SessionView } from "../../../../lib/contracts/shard/schemas.ts";
import { until } from "../../../../lib/testing/until.ts";
import { Authenticator } from "../../../simulator/testing/authenticator.ts";
import type { Deviation } from "../../../simulator/testing/authenticator.ts";
import { shardScenario } from "../../testing/scenario.ts";
import { control, makePhone, statusIn } from "../../testing/shard_under_test.ts";
import { defaultPasskeyTimes } from "./progress.ts";

const scenario = shardScenario();
let authenticator: Authenticator;
beforeEach(() => {
  authenticator = new Authenticator();
});

type PhoneView = {
  step: string;
  code: string | null;
  proof: boolean | null;
  failures: string[];
  notifications: number;
  acknowledged: number;
};
const phoneCall = (method: string, path = "", body?: object) =>
  control<PhoneView>(scenario.simulator, method, `/phones/${scenario.phone}/passkey${path}`, body);
const onPhone = () => phoneCall("GET");

async function requirePasskey(settings: object = {}): Promise<void> {
  await makePhone(scenario.simulator, scenario.phone);
  await phoneCall("PUT", "", { credentials: [authenticator.credential], ...settings });
}

/** Starts a link by QR code of a phone that requires a passkey. */
async function scanQr(): Promise<void> {
  const { shard, simulator, business, phone } = scenario;
  await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
  const { qr } = await shard.reaches(business, "qr");
  await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
}

/** Waits until the link is at this step. */
const reaches = (step: PasskeyView["step"], matches: (passkey: PasskeyView) => boolean = () => true) =>
  until<PasskeyView | undefined>(
    async () => {
      const { passkey } = await scenario.shard.view(scenario.business);
      return passkey?.step === step && matches(passkey) ? passkey : undefined;
    },
    { what: `the step ${step}` },
  );

const answer = (path: "assertion" | "confirm", body: object) =>
  scenario.shard.request("POST", `/sessions/${scenario.business}/passkey/${path}`, body);

async function approve({ options }: PasskeyView, deviation?: Deviation): Promise<Response> {
  return answer("assertion", authenticator.assert(options!, deviation));
}

const isOpen = () => scenario.shard.reaches(scenario.business, "open");
const ended = async (): Promise<SessionView> => scenario.shard.reaches(scenario.business, "disconnected");

describe("a phone that requires a passkey", () => {
  test("is linked by QR code without comparing a code", async () => {
    await requirePasskey();
    await scanQr();
    const passkey = await reaches("assertion");
    expect(passkey.options).toMatchObject({ rpId: "whatsapp.com", allowCredentials: [{ id: authenticator.id }] });
    expect(Date.parse(passkey.expires_at)).toBeGreaterThan(Date.now());
    expect((await approve(passkey)).status).toBe(202);
    const { phone } = await isOpen();
    expect(phone).toBe(scenario.phone);
    expect(await onPhone()).toMatchObject({ step: "linked", proof: true, failures: [] });
  });

  test("is linked by pairing code", async () => {
    const { shard, simulator, business, phone } = scenario;
    await requirePasskey();
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const { code } = await shard.reaches(business, "code");
    await control(simulator, "POST", `/phones/${phone}/enter_code`, { code });
    await approve(await reaches("assertion"));
    await isOpen();
    expect(await onPhone()).toMatchObject({ proof: true, failures: [] });
  });

  test.each(["unparsable", "missing"])("is linked with %s options", async (options) => {
    await requirePasskey({ options });
    await scanQr();
    await approve(await reaches("assertion"));
    await isOpen();
  });

  test("is linked after a broken connection", async () => {
    await requirePasskey();
    await scanQr();
    const { options } = await reaches("assertion");
    await phoneCall("POST", "/cancel");
    const again = await reaches("assertion", (passkey) => passkey.options!.challenge !== options!.challenge);
    expect(again.reason).toContain("connection");
    await approve(again);
    await isOpen();
    expect(await onPhone()).toMatchObject({ proof: true, failures: [] });
  });

  test("is linked after a restart of the shard", async () => {
    await requirePasskey();
    await scanQr();
    await approve(await reaches("assertion"));
    await scenario.restart();
    await scanQr();
    await approve(await reaches("assertion"));
    await isOpen();
  });

  test("journals the steps without secrets", async () => {
    await requirePasskey();
    await scanQr();
    const passkey = await reaches("assertion");
    await approve(passkey);
    await isOpen();
    const entries = await scenario.shard.readJournal("events");
    const names = entries.map(({ data }) => statusIn(data) ?? (data.event === "session.passkey" ? data.step : ""));
    expect(names.slice(0, 6)).toEqual(["connecting", "qr", "passkey", "assertion", "phone", "linking"]);
    expect(JSON.stringify(entries)).not.toContain(passkey.options!.challenge);
  });

  test("appears in lists without the challenge", async () => {
    await requirePasskey();
    await scanQr();
    await reaches("assertion");
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
    await requirePasskey();
    await scanQr();
    await approve(await reaches("assertion"));
    const { code } = await reaches("confirmation");
    expect(code).toMatch(/^[1-9A-Z]{4}-[1-9A-Z]{4}$/);
    expect(await onPhone()).toMatchObject({ code, proof: false, step: "compare" });
    const wrong = code!.replace(/^./, (letter) => (letter === "7" ? "8" : "7"));
    expect((await answer("confirm", { code: wrong })).status).toBe(409);
    const confirmed = await Promise.all([answer("confirm", { code }), answer("confirm", { code })]);
    expect(confirmed.map(({ status }) => status)).toEqual([202, 202]);
    await isOpen();
  });

  test("differs from the phone's if somebody is in between", async () => {
    await requirePasskey({ outcome: "other_code" });
    await scanQr();
    await approve(await reaches("assertion"));
    const { code } = await reaches("confirmation");
    const shown = (await onPhone()).code;
    expect(shown).not.toBe(code!);
    expect((await answer("confirm", { code: shown })).status).toBe(409);
    await scenario.shard.json("DELETE", `/sessions/${scenario.business}`);
    expect((await onPhone()).step).toBe("compare");
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
    await requirePasskey();
    await scanQr();
    const refused = await approve(await reaches("assertion"), deviation);
    expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
      status,
      expect.stringContaining(words),
    ]);
    await approve(await reaches("assertion"));
    await isOpen();
  });

  test("counts once when posted twice", async () => {
    await requirePasskey();
    await scanQr();
    const { options } = await reaches("assertion");
    const assertion = authenticator.assert(options!);
    const answers = await Promise.all([1, 2, 3].map(() => answer("assertion", assertion)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    await isOpen();
    expect((await onPhone()).failures).toEqual([]);
    expect((await answer("assertion", assertion)).status).toBe(409);
  });

  test("of an expired challenge gets a new challenge", async () => {
    await requirePasskey({ timeout_ms: 1 });
    await scanQr();
    const first = await reaches("assertion");
    await approve(first);
    const second = await reaches("assertion", ({ reason }) => reason != null);
    expect(second.reason).toContain("403");
    expect(second.options!.challenge).not.toBe(first.options!.challenge);
    expect((await onPhone()).failures).toEqual(["the challenge has expired"]);
    expect((await answer("assertion", authenticator.assert(first.options!))).status).toBe(409);
  });

  test("ends the link after three refusals", async () => {
    await requirePasskey({ outcome: "refuse" });
    await scanQr();
    let challenge = "";
    for (let i = 0; i < 3; i++) {
      const passkey = await reaches("assertion", ({ options }) => options!.challenge !== challenge);
      challenge = passkey.options!.challenge;
      await approve(passkey);
    }
    expect((await ended()).reason).toContain("refused the passkey 3 times");
  });

  test("is not accepted before a passkey is requested", async () => {
    const { shard, business } = scenario;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "qr");
    expect((await answer("assertion", authenticator.assert({ challenge: "AAAA" }))).status).toBe(409);
    expect((await answer("confirm", { code: "1111-1111" })).status).toBe(409);
  });
});

describe("the times", () => {
  test("renew a challenge that was not used", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, challengeMs: 200 } });
    await requirePasskey({ timeout_ms: 200 });
    await scanQr();
    const { options } = await reaches("assertion");
    await reaches("assertion", (passkey) => passkey.options!.challenge !== options!.challenge);
  });

  test("end a link that is never approved", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, challengeMs: 100, windowMs: 400 } });
    await requirePasskey({ timeout_ms: 100 });
    await scanQr();
    expect((await ended()).reason).toContain("not approved in time");
  });

  test("end a link whose phone is silent", async () => {
    await scenario.restart({ passkeyTimes: { ...defaultPasskeyTimes, phoneMs: 200 } });
    await requirePasskey({ outcome: "silent" });
    await scanQr();
    await approve(await reaches("assertion"));
    expect((await ended()).reason).toContain("the phone did not answer");
  });
});

describe("stanzas of the exchange", () => {
  test("are ignored unless they come from WhatsApp", async () => {
    await requirePasskey();
    await scanQr();
    const before = await reaches("assertion");
    await phoneCall("POST", "/spoof");
    await approve(before);
    await isOpen();
    expect((await onPhone()).failures).toEqual([]);
  });

  test("are acknowledged, and bounded in a storm", async () => {
    await requirePasskey();
    await scanQr();
    await reaches("assertion");
    await phoneCall("POST", "/request", { times: 500 });
    await until(async () => (await onPhone()).acknowledged === 501, { what: "501 acknowledgements" });
    const steps = (await scenario.shard.readJournal("events")).filter(({ data }) => data.event === "session.passkey");
    expect(steps).toHaveLength(1);
    // The challenge that the shard holds is not the latest: WhatsApp refuses it, and the next one is.
    await approve(await reaches("assertion"));
    await approve(await reaches("assertion", ({ reason }) => reason != null));
    await isOpen();
  });

  test("do not fill the memory with huge options", async () => {
    await requirePasskey({ padding: 500_000 });
    await scanQr();
    expect((await ended()).reason).toContain("cannot read");
  });
});
