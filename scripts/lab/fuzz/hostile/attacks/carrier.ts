import { randomBytes } from "node:crypto";
import { signatureOf } from "../../../../../services/calls/twilio/signature.ts";
import { edgeCaseTexts } from "../../edge_cases.ts";
import { isRefused, kind, survives } from "../kind.ts";
import type { Attack, AttackKind, Random } from "../kind.ts";

/* The carrier's webhooks: forms without a signature, and odd ones with it. */

const webhooks = ["voice", "status", "action?stream=1", "fallback", "recording"] as const;
const path = (random: Random) => `/webhooks/twilio/${random.pick(webhooks)}`;

/** A sid as the carrier makes them, of no call that there is. */
export const sidOf = (prefix: "CA" | "MZ" | "RE") => prefix + randomBytes(16).toString("hex");

/** The fields of a call to the tenant's number. */
export function callForm(attack: Attack, more: Record<string, string> = {}): URLSearchParams {
  const { number } = attack.tenant;
  const call = { CallSid: sidOf("CA"), AccountSid: attack.target.accountSid, From: "+15550000001", To: number };
  return new URLSearchParams({
    ...call,
    CallStatus: "ringing",
    Direction: "inbound",
    ApiVersion: "2010-04-01",
    ...more,
  });
}

const formType = { "content-type": "application/x-www-form-urlencoded" };

export const carrierAttacks: AttackKind[] = [
  kind("carrier", "form-unsigned", async (attack, random) => {
    const signature = random.pick<Record<string, string>>([
      {},
      { "x-twilio-signature": "" },
      { "x-twilio-signature": "x".repeat(7_000) },
    ]);
    const body = callForm(attack).toString();
    return isRefused(
      await attack.ask({ method: "POST", path: path(random), headers: { ...formType, ...signature }, body }),
    );
  }),
  kind("carrier", "form-forged", async (attack, random) => {
    const signature = randomBytes(20).toString("base64");
    const form = callForm(attack, { [random.pick(edgeCaseTexts).slice(0, 200)]: "x" });
    return isRefused(await attack.asCarrier(path(random), form, { "x-twilio-signature": signature }));
  }),
  kind("carrier", "form-large-unsigned", async (attack, random) => {
    const body = `a=${"x".repeat(70_000 + random.below(1_000_000))}`;
    return isRefused(
      await attack.ask({
        method: "POST",
        path: path(random),
        headers: { ...formType, "x-twilio-signature": "x" },
        body,
      }),
    );
  }),
  kind(
    "carrier",
    "form-slow-unsigned",
    async (attack, random) => {
      const line = await attack.line();
      const head = [
        `POST ${path(random)} HTTP/1.1`,
        "Host: localhost",
        "Content-Type: application/x-www-form-urlencoded",
      ];
      await line.write(`${[...head, "X-Twilio-Signature: x", "Content-Length: 60000"].join("\r\n")}\r\n\r\n`);
      for (let n = 0; n < 6 && !line.isClosed; n++) {
        await line.write("a");
        await line.hold(500);
      }
      return undefined;
    },
    { count: 300, width: 300, budgetMs: 30_000 },
  ),
  kind("carrier", "form-fields-odd", async (attack, random) => {
    const name = random.pick([
      "CallSid",
      "AccountSid",
      "From",
      "To",
      "CallStatus",
      "Direction",
      "CallDuration",
      "ErrorUrl",
    ]);
    const form = callForm(attack, { [name]: random.pick(edgeCaseTexts).toWellFormed().slice(0, 20_000) });
    return survives(await attack.asCarrier(path(random), form));
  }),
  kind("carrier", "form-wide", async (attack, random) => {
    const form = callForm(attack, { CallStatus: "completed" });
    for (let n = 0; n < 6_000; n++) form.append(random.pick(["a", `f${n}`]), String(n % 10));
    return survives(await attack.asCarrier(path(random), form));
  }),
  kind("carrier", "form-repeated", async (attack, random) => {
    const form = callForm(attack, { CallStatus: "completed" });
    for (let n = 0; n < 3_000; n++) form.append("CallSid", `x${n}`);
    return survives(await attack.asCarrier(path(random), form));
  }),
  kind("carrier", "form-encodings", async (attack, random) => {
    const body = random.pick([
      "%",
      "%zz=%",
      "=&=&=",
      "&".repeat(30_000),
      "a=%ff%fe",
      "\u0000",
      "a[b][c]=d",
      `${"a[".repeat(5_000)}=1`,
    ]);
    const form = new URLSearchParams(body);
    const headers = {
      "content-type": random.pick([
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=x",
        "application/json",
      ]),
    };
    const { publicUrl, authToken } = attack.target;
    const target = path(random);
    const signature = signatureOf(authToken, `${publicUrl}${target}`, [...form]);
    return survives(
      await attack.ask({
        method: "POST",
        path: target,
        headers: { ...headers, "x-twilio-signature": signature },
        body,
      }),
    );
  }),
  kind("carrier", "form-queries", async (attack, random) => {
    const query = random.pick([
      "?stream=1&stream=2",
      "?stream=-1",
      "?stream=1e9",
      "?%00",
      "?reservation=x",
      `?${"a=b&".repeat(1_500)}`,
      "?stream=",
    ]);
    return survives(
      await attack.asCarrier(`/webhooks/twilio/action${query}`, callForm(attack, { CallStatus: "in-progress" })),
    );
  }),
  kind(
    "carrier",
    "statuses-without-call",
    async (attack, random) => {
      const status = random.pick([
        "queued",
        "initiated",
        "ringing",
        "in-progress",
        "completed",
        "busy",
        "failed",
        "canceled",
      ]);
      const form = callForm(attack, { CallStatus: status, CallDuration: String(random.below(1e9)) });
      return survives(await attack.asCarrier("/webhooks/twilio/status", form));
    },
    { count: 100 },
  ),
  kind("carrier", "recordings-odd", async (attack, random) => {
    const url = random.pick([
      "http://169.254.169.254/",
      "http://127.0.0.1:8500/v1/kv/?recurse",
      "file:///etc/passwd",
      `https://x/${"a".repeat(2_000)}`,
    ]);
    const fields = {
      RecordingSid: sidOf("RE"),
      RecordingStatus: "completed",
      RecordingUrl: url,
      RecordingDuration: "999999999",
    };
    return survives(await attack.asCarrier("/webhooks/twilio/recording", callForm(attack, fields)));
  }),
  kind(
    "carrier",
    "calls-begun-and-ended",
    async (attack, random) => {
      const call = { CallSid: sidOf("CA"), From: random.pick(["anonymous", "sip:\u0000@x", "+1", "x".repeat(256)]) };
      const begun = await attack.asCarrier("/webhooks/twilio/voice", callForm(attack, call));
      const ended = await attack.asCarrier(
        "/webhooks/twilio/status",
        callForm(attack, { ...call, CallStatus: "completed", CallDuration: "1" }),
      );
      return survives(begun) ?? survives(ended);
    },
    { count: 80 },
  ),
  kind(
    "carrier",
    "unknown-numbers",
    async (attack, random) => {
      const To = `+1777${String(random.below(10_000_000)).padStart(7, "0")}`;
      return survives(await attack.asCarrier("/webhooks/twilio/voice", callForm(attack, { To })));
    },
    { count: 80 },
  ),
];
