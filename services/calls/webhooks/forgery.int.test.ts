import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { forPlatform, getCall } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { sid } from "../testing/call.ts";
import { useForgeryStage, without } from "../testing/forgery.ts";
import type { Fields } from "../testing/forgery.ts";
import { authToken, callsToken, someNumber } from "../testing/stack.ts";

/*
 * A forged, replayed or truncated webhook is refused with the right status and changes nothing in Redis or Postgres.
 * Each row of a table is a request.
 */

const stage = useForgeryStage();
const { begin, changesNothing, form, post, requestStream, voice } = stage;

const streamed = (size: number) =>
  new ReadableStream({
    start: (controller) => {
      for (let sent = 0; sent < size; sent += 1024) controller.enqueue(new Uint8Array(1024).fill(97));
      controller.close();
    },
  });

type WebhookRow = [name: string, status: number, request: () => ReturnType<typeof post>];
const forgedWebhooks: WebhookRow[] = [
  // Authentication.
  ["a voice webhook without a signature", 403, () => voice({}, { signature: null })],
  ["an empty signature", 403, () => voice({}, { signature: "" })],
  ["a signature under another token", 403, () => voice({}, { token: "another-token-of-somebody" })],
  [
    "a signature of another path",
    403,
    () => voice({}, { signedUrl: `${stage.stack.door.url}/webhooks/twilio/status` }),
  ],
  [
    "a signature of another scheme",
    403,
    () => voice({}, { signedUrl: `${stage.stack.door.url.replace("http", "https")}/webhooks/twilio/voice` }),
  ],
  ["a signature of another host", 403, () => voice({}, { signedUrl: "http://calls.example/webhooks/twilio/voice" })],
  [
    "a signature with a query more",
    403,
    () => voice({}, { signedUrl: `${stage.stack.door.url}/webhooks/twilio/voice?a=1` }),
  ],
  [
    "a field changed after it was signed",
    403,
    () => post("/voice", form(stage.offered, { To: "+15550000000" }), { signedFields: form(stage.offered) }),
  ],
  [
    "a field added after it was signed",
    403,
    () => post("/voice", form(stage.offered, { More: "1" }), { signedFields: form(stage.offered) }),
  ],
  [
    "a field left out after it was signed",
    403,
    () => post("/voice", without(form(stage.offered), "From"), { signedFields: form(stage.offered) }),
  ],
  [
    "a body cut off in the middle",
    403,
    () =>
      post("/voice", form(stage.offered), { body: new URLSearchParams(form(stage.offered)).toString().slice(0, 60) }),
  ],
  ["a signature in lower case", 403, () => voice({}, { signature: "rsoydt4t1cutdk1pdd93/vvr8b8=" })],
  ["two signatures", 403, () => voice({}, { signature: "a=, b=" })],
  [
    "a signature by SHA-256",
    403,
    () => voice({}, { signature: createHmac("sha256", authToken).update("x").digest("base64") }),
  ],
  ["another account's call", 403, () => voice({ AccountSid: sid("AC") })],
  [
    "a status without a signature",
    403,
    () => post("/status", form(stage.offered, { CallStatus: "completed" }), { signature: null }),
  ],
  [
    "a forged end of a call",
    403,
    () => post("/status", form(stage.offered, { CallStatus: "completed" }), { token: "another-token-of-somebody" }),
  ],
  ["a forged action", 403, () => post("/action?stream=1", form(stage.offered), { signature: "AAAA" })],
  [
    "an action signed for another stream",
    403,
    () =>
      post("/action?stream=2", form(stage.resumed), {
        signedUrl: `${stage.stack.door.url}/webhooks/twilio/action?stream=1`,
      }),
  ],
  ["a forged fallback", 403, () => post("/fallback", form(stage.offered), { signature: null })],
  ["a forged recording", 403, () => post("/recording", recording(stage.offered), { signature: "AAAA" })],
  // Validation.
  ["JSON", 400, () => post("/voice", form(stage.offered), { contentType: "application/json", body: "{}" })],
  [
    "a multipart form",
    400,
    () => post("/voice", form(stage.offered), { contentType: "multipart/form-data; boundary=x" }),
  ],
  ["a form that calls itself text", 400, () => post("/voice", form(stage.offered), { contentType: "text/plain" })],
  ["an empty form", 403, () => post("/voice", {})],
  ["no CallSid", 400, () => post("/voice", without(form(stage.offered), "CallSid"))],
  ["a CallSid that is too short", 400, () => post("/voice", form("CA123"))],
  ["a CallSid with a path in it", 400, () => post("/voice", form(`CA${"../".repeat(10)}aa`))],
  ["a CallSid in capitals", 400, () => post("/voice", form(`CA${"AB".repeat(16)}`))],
  ["a CallSid of a message", 400, () => post("/voice", form(`SM${"ab".repeat(16)}`))],
  ["no From", 400, () => post("/voice", without(form(sid("CA")), "From"))],
  ["a To of a thousand letters", 400, () => voice({ To: "1".repeat(1000) })],
  ["a status that does not exist", 400, () => voice({ CallStatus: "levitating" })],
  ["a direction that does not exist", 400, () => voice({ Direction: "sideways" })],
  [
    "a negative duration",
    400,
    () => post("/status", form(stage.offered, { CallStatus: "completed", CallDuration: "-1" })),
  ],
  [
    "a duration in words",
    400,
    () => post("/status", form(stage.offered, { CallStatus: "completed", CallDuration: "long" })),
  ],
  ["an action of no stream", 400, () => post("/action", form(stage.offered))],
  ["an action of stream 0", 400, () => post("/action?stream=0", form(stage.offered))],
  ["an action of stream one", 400, () => post("/action?stream=one", form(stage.offered))],
  ["an action of a stream beyond reason", 400, () => post("/action?stream=999999999", form(stage.offered))],
  ["a recording without a URL", 400, () => post("/recording", without(recording(stage.offered), "RecordingUrl"))],
  [
    "a recording at no web address",
    400,
    () => post("/recording", recording(stage.offered, { RecordingUrl: "javascript:alert(1)" })),
  ],
  [
    "a recording with another kind of sid",
    400,
    () => post("/recording", recording(stage.offered, { RecordingSid: sid("CA") })),
  ],
  ["a body of 65 KiB", 413, () => voice({ More: "x".repeat(65 * 1024) })],
  [
    "a body of unknown length that does not end",
    413,
    () => post("/voice", form(stage.offered), { body: streamed(200 * 1024) }),
  ],
  ["a GET with the signature of a POST", 403, () => post("/voice", form(stage.offered), { method: "GET" })],
  ["a webhook that does not exist", 404, () => post("/transcription", form(stage.offered))],
];

const recording = (callSid: string, more: Fields = {}): Fields => ({
  AccountSid: stage.stack.carrier.accountSid,
  CallSid: callSid,
  RecordingSid: sid("RE"),
  RecordingStatus: "completed",
  RecordingUrl: "https://carrier.example/recording",
  RecordingDuration: "3",
  ...more,
});

type ReplayRow = [name: string, request: () => ReturnType<typeof post>, answer: { status: number; text?: unknown }];
const replays: ReplayRow[] = [
  [
    "the voice webhook of a call that was offered a stream",
    () => post("/voice", form(stage.offered)),
    { status: 200, text: expect.stringContaining("<Stream") },
  ],
  [
    "the voice webhook of a call that has ended",
    () => post("/voice", form(stage.ended)),
    { status: 200, text: expect.stringContaining("<Hangup/>") },
  ],
  [
    "the first action of a call that is two streams on",
    () => post("/action?stream=1", form(stage.resumed)),
    { status: 200, text: expect.stringContaining("stream=2") },
  ],
  [
    "the action of a call that has ended",
    () => post("/action?stream=1", form(stage.ended)),
    { status: 200, text: expect.stringContaining("<Hangup/>") },
  ],
  [
    "the end of a call that has ended",
    () => post("/status", form(stage.ended, { CallStatus: "completed", CallDuration: "7" })),
    { status: 204 },
  ],
  [
    "another end of a call that has ended",
    () => post("/status", form(stage.ended, { CallStatus: "failed" })),
    { status: 204 },
  ],
  ["ringing after the end", () => post("/status", form(stage.ended, { CallStatus: "ringing" })), { status: 204 }],
  ["ringing after the answer", () => post("/status", form(stage.offered, { CallStatus: "ringing" })), { status: 204 }],
  ["the status of an unknown call", () => post("/status", form(sid("CA"), { CallStatus: "ringing" })), { status: 204 }],
  ["a recording of an unknown call", () => post("/recording", recording(sid("CA"))), { status: 204 }],
  [
    "a recording that has only started",
    () => post("/recording", recording(stage.offered, { RecordingStatus: "in-progress" })),
    { status: 204 },
  ],
];

describe("a forged webhook", () => {
  test.each(forgedWebhooks)("%s gets %d and changes nothing", async (_, status, request) => {
    expect((await changesNothing(request)).status).toBe(status);
  });

  test("for an unknown number is refused by TwiML", async () => {
    const answer = await changesNothing(() => voice({ To: someNumber() }));
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining("<Reject") });
  });

  test.each(replays)("%s repeated gets its first answer", async (_, request, answer) => {
    const first = await changesNothing(request);
    expect(first).toMatchObject(answer);
    expect(await request()).toEqual(first);
  });

  test("with an unstorable caller name is recorded", async () => {
    const [callSid, From] = [sid("CA"), "sip:a\u0000b@example.com"];
    expect((await post("/voice", form(callSid, { From }))).status).toBe(200);
    expect((await post("/status", form(callSid, { From, CallStatus: "completed", CallDuration: "5" }))).status).toBe(
      204,
    );
    expect(await until(() => getCall(stage.scope, callSid), { what: "the row of the call" })).toMatchObject({
      from_number: "sip:a\uFFFDb@example.com",
    });
    expect((await post("/voice", form(sid("CA"), { To: "sip:a\u0000b@example.com" }))).text).toContain("<Reject");
  });
});

describe("a recording", () => {
  test.each(["0", "-1"])("that is absent, of %s channels, is recorded", async (RecordingChannels) => {
    const callSid = await begin();
    const fields = recording(callSid, { RecordingStatus: "absent", RecordingDuration: "-1", RecordingChannels });
    expect((await post("/recording", without(fields, "RecordingUrl"))).status).toBe(204);
    const [written] = await forPlatform(stage.stack.database.db).run(
      (sql) => sql`select * from call_recordings where call_sid = ${callSid}`,
    );
    expect(written).toMatchObject({ status: "absent", channels: null });
  });

  test("announced twice is recorded once", async () => {
    const fields = recording(stage.offered);
    expect((await post("/recording", fields)).status).toBe(204);
    expect((await changesNothing(() => post("/recording", fields))).status).toBe(204);
  });
});

describe("configuration", () => {
  test.each([
    ["the carrier's token", { TWILIO_AUTH_TOKEN: "" }],
    ["an agent", { CALL_AGENT_URL: "" }],
  ])("without %s calls get 503 and advice", async (_, missing) => {
    const replica = await stage.stack.addReplica(missing);
    stage.stack.door.lead([replica.port]);
    stage.stack.door.drop();
    const answer = await changesNothing(() => voice());
    expect(answer.status).toBe(503);
    expect(answer.text).toContain(Object.keys(missing)[0]!);
    if ("TWILIO_AUTH_TOKEN" in missing) expect(await requestStream(stage.offered)).toBe(503);
    await stage.stack.stopReplica(replica);
  });

  test("the carrier's port exposes no internal API", async () => {
    // The door may have closed a connection of before.
    const ask = async (url: string, init: RequestInit = {}) => (await fetch(url, { ...init, keepalive: false })).status;
    const headers = { authorization: `Bearer ${callsToken}`, "content-type": "application/json" };
    expect(await ask(`${stage.stack.door.url}/calls`, { method: "POST", headers, body: "{}" })).toBe(404);
    expect(await ask(`${stage.stack.internalUrl()}/calls`, { method: "POST", headers, body: "{}" })).toBe(400);
    for (const path of ["/health", "/ready", "/metrics"]) {
      expect(await ask(`${stage.stack.door.url}${path}`)).toBe(404);
      expect(await ask(`${stage.stack.internalUrl()}${path}`)).toBe(200);
    }
  });
});
