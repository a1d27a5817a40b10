import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { createHmac } from "node:crypto";
import { forPlatform, getCall } from "../../lib/db/index.ts";
import type { BusinessScope } from "../../lib/db/index.ts";
import { until } from "../../lib/testing/until.ts";
import { createStreamTokens } from "./streams/token.ts";
import { sid } from "./testing/call.ts";
import { authToken, callsToken, someNumber, startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";
import { signatureOf } from "./twilio/signature.ts";

/*
 * What is forged, replayed or truncated is refused with the right status, changes nothing in Redis or Postgres, and
 * leaves the process alive. A row of a table is a request; the first of each table is one that is accepted, so that
 * the others are known to fail for their fault alone.
 */

let stack: Stack;
let number: string;
let scope: BusinessScope;
/** A call that was offered its first stream. */
let offered: string;
/** One that was offered its second, and one that has ended. */
let resumed: string;
let ended: string;

beforeAll(async () => {
  stack = await startStack();
  ({ number, scope } = await stack.business());
  offered = await begin();
  resumed = await begin();
  expect((await post("/action?stream=1", form(resumed))).status).toBe(200);
  ended = await begin();
  expect((await post("/status", form(ended, { CallStatus: "completed", CallDuration: "7" }))).status).toBe(204);
});
afterAll(() => stack.close());

async function begin(): Promise<string> {
  const callSid = sid("CA");
  expect((await post("/voice", form(callSid))).status).toBe(200);
  return callSid;
}

type Fields = Record<string, string>;

const form = (callSid: string, more: Fields = {}): Fields => ({
  AccountSid: stack.carrier.accountSid,
  CallSid: callSid,
  CallStatus: "in-progress",
  Direction: "inbound",
  From: "+15551112222",
  To: number,
  ...more,
});
const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));

type Forgery = {
  method?: string;
  /** What is signed where it is not what is sent. */
  signedUrl?: string;
  signedFields?: Fields;
  token?: string;
  signature?: string | null;
  contentType?: string;
  body?: string | ReadableStream;
};

async function post(path: string, fields: Fields, forgery: Forgery = {}) {
  const url = `${stack.door.url}/webhooks/twilio${path}`;
  const signed = signatureOf(
    forgery.token ?? authToken,
    forgery.signedUrl ?? url,
    Object.entries(forgery.signedFields ?? fields),
  );
  const signature = forgery.signature === undefined ? signed : forgery.signature;
  const response = await fetch(url, {
    method: forgery.method ?? "POST",
    headers: {
      "content-type": forgery.contentType ?? "application/x-www-form-urlencoded",
      ...(signature === null ? {} : { "x-twilio-signature": signature }),
    },
    ...(forgery.method === "GET" ? {} : { body: forgery.body ?? new URLSearchParams(fields).toString() }),
  });
  return { status: response.status, text: await response.text() };
}

/** All that the service remembers. Leases and places of live calls move by themselves and are left out. */
async function memory(): Promise<unknown> {
  const keys = (await stack.redis.keys("prosaas:{calls}:*")).toSorted();
  const calls = await Promise.all(keys.filter((key) => key.includes(":call:")).map((key) => stack.redis.hgetall(key)));
  const rows = await forPlatform(stack.database.db).run(async (sql) => ({
    calls: await sql`select * from calls order by call_sid`,
    recordings: await sql`select * from call_recordings order by recording_sid`,
  }));
  return {
    keys,
    calls: calls.map(({ version: _, position_ms: __, fruitless: ___, ...call }) => call),
    leases: await stack.redis.zrange("prosaas:{calls}:active", "0", "-1"),
    rows: { calls: [...rows.calls], recordings: [...rows.recordings] },
  };
}

async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await memory();
  const result = await work();
  expect(await memory()).toEqual(before);
  expect((await fetch(`${stack.door.url}/nothing`)).status).toBe(404);
  return result;
}

const streamed = (size: number) =>
  new ReadableStream({
    start: (controller) => {
      for (let sent = 0; sent < size; sent += 1024) controller.enqueue(new Uint8Array(1024).fill(97));
      controller.close();
    },
  });

type WebhookRow = [name: string, status: number, request: () => ReturnType<typeof post>];
const voice = (more: Fields = {}, forgery: Forgery = {}) => post("/voice", form(sid("CA"), more), forgery);
const forgedWebhooks: WebhookRow[] = [
  // Who sent it.
  ["a voice webhook without a signature", 403, () => voice({}, { signature: null })],
  ["an empty signature", 403, () => voice({}, { signature: "" })],
  ["a signature under another token", 403, () => voice({}, { token: "another-token-of-somebody" })],
  ["a signature of another path", 403, () => voice({}, { signedUrl: `${stack.door.url}/webhooks/twilio/status` })],
  [
    "a signature of another scheme",
    403,
    () => voice({}, { signedUrl: `${stack.door.url.replace("http", "https")}/webhooks/twilio/voice` }),
  ],
  ["a signature of another host", 403, () => voice({}, { signedUrl: "http://calls.example/webhooks/twilio/voice" })],
  ["a signature with a query more", 403, () => voice({}, { signedUrl: `${stack.door.url}/webhooks/twilio/voice?a=1` })],
  [
    "a field changed after it was signed",
    403,
    () => post("/voice", form(offered, { To: "+15550000000" }), { signedFields: form(offered) }),
  ],
  [
    "a field added after it was signed",
    403,
    () => post("/voice", form(offered, { More: "1" }), { signedFields: form(offered) }),
  ],
  [
    "a field left out after it was signed",
    403,
    () => post("/voice", without(form(offered), "From"), { signedFields: form(offered) }),
  ],
  [
    "a body cut off in the middle",
    403,
    () => post("/voice", form(offered), { body: new URLSearchParams(form(offered)).toString().slice(0, 60) }),
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
    () => post("/status", form(offered, { CallStatus: "completed" }), { signature: null }),
  ],
  [
    "a forged end of a call",
    403,
    () => post("/status", form(offered, { CallStatus: "completed" }), { token: "another-token-of-somebody" }),
  ],
  ["a forged action", 403, () => post("/action?stream=1", form(offered), { signature: "AAAA" })],
  [
    "an action signed for another stream",
    403,
    () => post("/action?stream=2", form(resumed), { signedUrl: `${stack.door.url}/webhooks/twilio/action?stream=1` }),
  ],
  ["a forged fallback", 403, () => post("/fallback", form(offered), { signature: null })],
  ["a forged recording", 403, () => post("/recording", recording(offered), { signature: "AAAA" })],
  // What it is.
  ["JSON", 400, () => post("/voice", form(offered), { contentType: "application/json", body: "{}" })],
  ["a multipart form", 400, () => post("/voice", form(offered), { contentType: "multipart/form-data; boundary=x" })],
  ["a form that calls itself text", 400, () => post("/voice", form(offered), { contentType: "text/plain" })],
  ["an empty form, which is nobody's", 403, () => post("/voice", {})],
  ["no CallSid", 400, () => post("/voice", without(form(offered), "CallSid"))],
  ["a CallSid that is too short", 400, () => post("/voice", form("CA123"))],
  ["a CallSid with a path in it", 400, () => post("/voice", form(`CA${"../".repeat(10)}aa`))],
  ["a CallSid in capitals", 400, () => post("/voice", form(`CA${"AB".repeat(16)}`))],
  ["a CallSid of a message", 400, () => post("/voice", form(`SM${"ab".repeat(16)}`))],
  ["no From", 400, () => post("/voice", without(form(sid("CA")), "From"))],
  ["a To of a thousand letters", 400, () => voice({ To: "1".repeat(1000) })],
  ["a status that does not exist", 400, () => voice({ CallStatus: "levitating" })],
  ["a direction that does not exist", 400, () => voice({ Direction: "sideways" })],
  ["a negative duration", 400, () => post("/status", form(offered, { CallStatus: "completed", CallDuration: "-1" }))],
  ["a duration in words", 400, () => post("/status", form(offered, { CallStatus: "completed", CallDuration: "long" }))],
  ["an action of no stream", 400, () => post("/action", form(offered))],
  ["an action of stream 0", 400, () => post("/action?stream=0", form(offered))],
  ["an action of stream one", 400, () => post("/action?stream=one", form(offered))],
  ["an action of a stream beyond reason", 400, () => post("/action?stream=999999999", form(offered))],
  ["a recording without a place", 400, () => post("/recording", without(recording(offered), "RecordingUrl"))],
  [
    "a recording at no web address",
    400,
    () => post("/recording", recording(offered, { RecordingUrl: "javascript:alert(1)" })),
  ],
  [
    "a recording with another kind of sid",
    400,
    () => post("/recording", recording(offered, { RecordingSid: sid("CA") })),
  ],
  ["a body of 65 KiB", 413, () => voice({ More: "x".repeat(65 * 1024) })],
  [
    "a body of unknown length that does not end",
    413,
    () => post("/voice", form(offered), { body: streamed(200 * 1024) }),
  ],
  ["a GET with the signature of a POST", 403, () => post("/voice", form(offered), { method: "GET" })],
  ["a webhook that does not exist", 404, () => post("/transcription", form(offered))],
];

const recording = (callSid: string, more: Fields = {}): Fields => ({
  AccountSid: stack.carrier.accountSid,
  CallSid: callSid,
  RecordingSid: sid("RE"),
  RecordingStatus: "completed",
  RecordingUrl: "https://carrier.example/recording",
  RecordingDuration: "3",
  ...more,
});

test.each(forgedWebhooks)("%s is answered %d and changes nothing", async (_, status, request) => {
  expect((await changesNothing(request)).status).toBe(status);
});

test("a voice webhook for a number of nobody's is refused by TwiML and makes no call", async () => {
  const answer = await changesNothing(() => voice({ To: someNumber() }));
  expect(answer).toMatchObject({ status: 200, text: expect.stringContaining("<Reject") });
});

type ReplayRow = [name: string, request: () => ReturnType<typeof post>, answer: { status: number; text?: unknown }];
const replays: ReplayRow[] = [
  [
    "the voice webhook of a call that was offered a stream",
    () => post("/voice", form(offered)),
    { status: 200, text: expect.stringContaining("<Stream") },
  ],
  [
    "the voice webhook of a call that has ended",
    () => post("/voice", form(ended)),
    { status: 200, text: expect.stringContaining("<Hangup/>") },
  ],
  [
    "the first action of a call that is two streams on",
    () => post("/action?stream=1", form(resumed)),
    { status: 200, text: expect.stringContaining("stream=2") },
  ],
  [
    "the action of a call that has ended",
    () => post("/action?stream=1", form(ended)),
    { status: 200, text: expect.stringContaining("<Hangup/>") },
  ],
  [
    "the end of a call that has ended",
    () => post("/status", form(ended, { CallStatus: "completed", CallDuration: "7" })),
    { status: 204 },
  ],
  [
    "another end of a call that has ended",
    () => post("/status", form(ended, { CallStatus: "failed" })),
    { status: 204 },
  ],
  ["ringing after the end", () => post("/status", form(ended, { CallStatus: "ringing" })), { status: 204 }],
  ["ringing after the answer", () => post("/status", form(offered, { CallStatus: "ringing" })), { status: 204 }],
  [
    "the status of a call that nobody knows",
    () => post("/status", form(sid("CA"), { CallStatus: "ringing" })),
    { status: 204 },
  ],
  ["a recording of a call that nobody knows", () => post("/recording", recording(sid("CA"))), { status: 204 }],
  [
    "a recording that has only begun",
    () => post("/recording", recording(offered, { RecordingStatus: "in-progress" })),
    { status: 204 },
  ],
];

test.each(replays)("%s, sent again, gets its answer again and changes nothing", async (_, request, answer) => {
  const first = await changesNothing(request);
  expect(first).toMatchObject(answer);
  expect(await request()).toEqual(first);
});

test("a caller whose name holds what no database takes is written down like any other, and calls to such a name are refused", async () => {
  const [callSid, From] = [sid("CA"), "sip:a\u0000b@example.com"];
  expect((await post("/voice", form(callSid, { From }))).status).toBe(200);
  expect((await post("/status", form(callSid, { From, CallStatus: "completed", CallDuration: "5" }))).status).toBe(204);
  expect(await until(() => getCall(scope, callSid), { what: "the row of the call" })).toMatchObject({
    from_number: "sip:a\uFFFDb@example.com",
  });
  expect((await post("/voice", form(sid("CA"), { To: "sip:a\u0000b@example.com" }))).text).toContain("<Reject");
});

test.each(["0", "-1"])("a recording that is absent, of %s channels, is written down", async (RecordingChannels) => {
  const callSid = await begin();
  const fields = recording(callSid, { RecordingStatus: "absent", RecordingDuration: "-1", RecordingChannels });
  expect((await post("/recording", without(fields, "RecordingUrl"))).status).toBe(204);
  const [written] = await forPlatform(stack.database.db).run(
    (sql) => sql`select * from call_recordings where call_sid = ${callSid}`,
  );
  expect(written).toMatchObject({ status: "absent", channels: null });
});

test("a recording that is announced twice is written down once", async () => {
  const fields = recording(offered);
  expect((await post("/recording", fields)).status).toBe(204);
  expect((await changesNothing(() => post("/recording", fields))).status).toBe(204);
});

/** The HTTP status with which an upgrade is answered; 101 where it is taken. */
async function knock(callSid: string, { signed = callSid, upgrade = true, signature = "" } = {}): Promise<number> {
  const url = `${stack.door.url.replace("http", "ws")}/media/${signed}`;
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = connect(stack.door.port, "127.0.0.1", () => {
    const lines = [
      `GET /media/${callSid} HTTP/1.1`,
      "Host: calls",
      ...(upgrade
        ? [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          ]
        : []),
      ...(signature === "none" ? [] : [`X-Twilio-Signature: ${signature || signatureOf(authToken, url, [])}`]),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
  socket.on("data", (data) => {
    resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1]));
    socket.destroy();
  });
  return promise;
}

test.each([
  ["without a signature", 403, () => knock(offered, { signature: "none" })],
  ["with a signature of another call", 403, () => knock(offered, { signed: resumed })],
  ["with nonsense for a signature", 403, () => knock(offered, { signature: "AAAA" })],
  ["of a call that nobody knows", 404, () => knock(sid("CA"))],
  ["of what is no call", 404, () => knock("everything")],
  ["of a call that has ended", 409, () => knock(ended)],
  ["by a request that wants no WebSocket", 426, () => knock(offered, { upgrade: false })],
] as [string, number, () => Promise<number>][])("a stream asked for %s is answered %d", async (_, status, request) => {
  expect(await changesNothing(request)).toBe(status);
});

const tokens = createStreamTokens([authToken]);
const inAnHour = () => Date.now() + 3_600_000;

function open(callSid: string): Bun.WebSocket {
  const url = `${stack.door.url.replace("http", "ws")}/media/${callSid}`;
  const init = { headers: { "x-twilio-signature": signatureOf(authToken, url, []) } };
  return new WebSocket(url, init as unknown as string[]) as unknown as Bun.WebSocket;
}

const streamSid = sid("MZ");
const start = (callSid: string, token: string, more: Record<string, unknown> = {}) => ({
  event: "start",
  streamSid,
  start: {
    streamSid,
    callSid,
    accountSid: stack.carrier.accountSid,
    customParameters: { token },
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    ...more,
  },
});
const media = (chunk: number, more: Record<string, unknown> = {}) => ({
  event: "media",
  streamSid,
  media: {
    track: "inbound",
    chunk: String(chunk),
    timestamp: String(chunk * 20),
    payload: Buffer.alloc(160, chunk).toString("base64"),
    ...more,
  },
});
const valid = () => tokens.sign({ callSid: offered, stream: 1, expiresAt: inAnHour() });

type FrameRow = [name: string, code: number, message: () => unknown];
const forgedFrames: FrameRow[] = [
  ["audio before the start", 1008, () => media(1)],
  ["a key before the start", 1008, () => ({ event: "dtmf", streamSid, dtmf: { digit: "1" } })],
  ["a stop before the start", 1008, () => ({ event: "stop", streamSid })],
  ["text that is no JSON", 1007, () => "event: start"],
  ["an empty message", 1007, () => ""],
  ["a start cut off in the middle", 1007, () => JSON.stringify(start(offered, valid())).slice(0, 90)],
  ["an array", 1007, () => [start(offered, valid())]],
  ["null", 1007, () => "null"],
  ["an event that does not exist", 1007, () => ({ event: "levitate", streamSid })],
  ["a start without its inside", 1007, () => ({ event: "start", streamSid })],
  [
    "a start of another format",
    1007,
    () => start(offered, valid(), { mediaFormat: { encoding: "audio/L16", sampleRate: 16_000, channels: 1 } }),
  ],
  ["a start with a number for a token", 1007, () => start(offered, valid(), { customParameters: { token: 7 } })],
  ["a start without a token", 1008, () => start(offered, valid(), { customParameters: {} })],
  ["a start with nonsense for a token", 1008, () => start(offered, "open sesame")],
  [
    "a start with a token of another key",
    1008,
    () =>
      start(
        offered,
        createStreamTokens(["somebody else's token"]).sign({ callSid: offered, stream: 1, expiresAt: inAnHour() }),
      ),
  ],
  [
    "a start with a token of another call",
    1008,
    () => start(offered, tokens.sign({ callSid: resumed, stream: 1, expiresAt: inAnHour() })),
  ],
  [
    "a start with a token of a stream to come",
    1008,
    () => start(offered, tokens.sign({ callSid: offered, stream: 2, expiresAt: inAnHour() })),
  ],
  [
    "a start with a token that has run out",
    1008,
    () => start(offered, tokens.sign({ callSid: offered, stream: 1, expiresAt: Date.now() - 1000 })),
  ],
  [
    "a start with a token made to last",
    1008,
    () => start(offered, valid().replace(/\.\d+\./, `.${inAnHour() + 1e9}.`)),
  ],
  [
    "a start of another call's stream",
    1008,
    () => start(resumed, tokens.sign({ callSid: resumed, stream: 2, expiresAt: inAnHour() })),
  ],
  ["a start that names two streams", 1008, () => ({ ...start(offered, valid()), streamSid: sid("MZ") })],
  ["binary", 1003, () => new Uint8Array(160)],
  ["a message of 600 KiB", 1009, () => "x".repeat(600 * 1024)],
];

test.each(forgedFrames)("%s closes the stream with %d and changes nothing", async (_, code, message) => {
  const closed = await changesNothing(async () => {
    const socket = open(offered);
    const { promise, resolve } = Promise.withResolvers<number>();
    socket.addEventListener("open", () => {
      const body = message();
      socket.send(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
    });
    socket.addEventListener("close", (event) => resolve(event.code));
    return promise;
  });
  expect(closed).toBe(code);
});

test("in a stream under way, what is forged, repeated or truncated is neither relayed nor obeyed, and the rest is", async () => {
  const callSid = await begin();
  const socket = open(callSid);
  const heard: Buffer[] = [];
  const marks: string[] = [];
  socket.addEventListener("message", (event: MessageEvent<string>) => {
    const frame = JSON.parse(event.data) as { event: string; media?: { payload: string }; mark?: { name: string } };
    if (frame.media) heard.push(Buffer.from(frame.media.payload, "base64"));
    if (frame.mark) marks.push(frame.mark.name);
  });
  const send = (message: unknown) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
  const token = tokens.sign({ callSid, stream: 1, expiresAt: inAnHour() });
  await until(() => socket.readyState === WebSocket.OPEN);
  send({ event: "connected", protocol: "Call", version: "1.0.0" });
  send(start(callSid, token));
  await until(() => marks.includes("greeting"), { what: "the stream" });
  heard.length = 0;

  const faulty: unknown[] = [
    start(callSid, token),
    { event: "connected", protocol: "Call", version: "1.0.0" },
    { ...media(50), streamSid: sid("MZ") },
    { ...media(51), streamSid: undefined },
    media(52, { payload: "not base64!" }),
    media(53, { payload: "" }),
    media(54, { track: "outbound" }),
    media(55, { chunk: "many" }),
    media(56, { timestamp: -20 }),
    JSON.stringify(media(57)).slice(0, -40),
    { event: "dtmf", streamSid, dtmf: { digit: "##" } },
    { event: "dtmf", streamSid: sid("MZ"), dtmf: { digit: "#" } },
    { event: "stop", streamSid: sid("MZ") },
    { event: "mark", streamSid, mark: {} },
    "{",
  ];
  send(media(10));
  for (const frame of faulty) send(frame);
  send(media(10));
  send(media(9));
  send(media(11));
  await until(() => heard.some((audio) => audio[0] === 11), { what: "the last frame to come back" });
  expect(heard.map((audio) => audio[0])).toEqual([10, 11]);
  expect(socket.readyState).toBe(WebSocket.OPEN);

  // The same token again, while the stream goes on and after.
  expect(await knock(callSid)).toBe(409);
  send({ event: "stop", streamSid });
  await until(() => socket.readyState === WebSocket.CLOSED);
  expect(await knock(callSid)).toBe(409);
});

test("a stream of nothing but nonsense is closed in the end, and its call can go on", async () => {
  const callSid = await begin();
  const socket = open(callSid);
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  socket.addEventListener("close", (event) => resolve(event.code));
  await until(() => socket.readyState === WebSocket.OPEN);
  socket.send(JSON.stringify(start(callSid, tokens.sign({ callSid, stream: 1, expiresAt: inAnHour() }))));
  await until(async () => (await stack.store.read(callSid)).call?.step === "streaming", { what: "the stream" });
  for (let i = 0; i < 60; i++) socket.send("{");
  expect(await closed).toBe(1007);
  expect((await post("/action?stream=1", form(callSid))).text).toContain("stream=2");
});

test.each([
  ["the carrier's token", { TWILIO_AUTH_TOKEN: "" }],
  ["an agent", { CALL_AGENT_URL: "" }],
])("without %s calls are answered 503, with a sentence that says what to set", async (_, missing) => {
  const replica = await stack.addReplica(missing);
  stack.door.lead([replica.port]);
  stack.door.drop();
  const answer = await changesNothing(() => voice());
  expect(answer.status).toBe(503);
  expect(answer.text).toContain(Object.keys(missing)[0]!);
  if ("TWILIO_AUTH_TOKEN" in missing) expect(await knock(offered)).toBe(503);
  await stack.stopReplica(replica);
});

test("the carrier's port has no internal API and no operational endpoints", async () => {
  // The door may have closed a connection of before.
  const ask = async (url: string, init: RequestInit = {}) => (await fetch(url, { ...init, keepalive: false })).status;
  const headers = { authorization: `Bearer ${callsToken}`, "content-type": "application/json" };
  expect(await ask(`${stack.door.url}/calls`, { method: "POST", headers, body: "{}" })).toBe(404);
  expect(await ask(`${stack.internalUrl()}/calls`, { method: "POST", headers, body: "{}" })).toBe(400);
  for (const path of ["/health", "/ready", "/metrics"]) {
    expect(await ask(`${stack.door.url}${path}`)).toBe(404);
    expect(await ask(`${stack.internalUrl()}${path}`)).toBe(200);
  }
});
