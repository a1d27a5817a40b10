import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { sid } from "../testing/call.ts";
import { useForgeryStage } from "../testing/forgery.ts";
import { authToken } from "../testing/stack.ts";
import { signatureOf } from "../twilio/signature.ts";
import { createStreamTokens } from "./token.ts";

/* A forged stream request or frame is refused with the right code and changes nothing in Redis or Postgres. */

const stage = useForgeryStage();
const { begin, changesNothing, form, post, requestStream } = stage;

const tokens = createStreamTokens([authToken]);
const inAnHour = () => Date.now() + 3_600_000;

function open(callSid: string): Bun.WebSocket {
  const url = `${stage.stack.door.url.replace("http", "ws")}/media/${callSid}`;
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
    accountSid: stage.stack.carrier.accountSid,
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
const valid = () => tokens.sign({ callSid: stage.offered, stream: 1, expiresAt: inAnHour() });

type FrameRow = [name: string, code: number, message: () => unknown];
const forgedFrames: FrameRow[] = [
  ["audio before the start", 1008, () => media(1)],
  ["a key before the start", 1008, () => ({ event: "dtmf", streamSid, dtmf: { digit: "1" } })],
  ["a stop before the start", 1008, () => ({ event: "stop", streamSid })],
  ["text that is no JSON", 1007, () => "event: start"],
  ["an empty message", 1007, () => ""],
  ["a start cut off in the middle", 1007, () => JSON.stringify(start(stage.offered, valid())).slice(0, 90)],
  ["an array", 1007, () => [start(stage.offered, valid())]],
  ["null", 1007, () => "null"],
  ["an event that does not exist", 1007, () => ({ event: "levitate", streamSid })],
  ["a start without its inside", 1007, () => ({ event: "start", streamSid })],
  [
    "a start of another format",
    1007,
    () => start(stage.offered, valid(), { mediaFormat: { encoding: "audio/L16", sampleRate: 16_000, channels: 1 } }),
  ],
  ["a start with a number for a token", 1007, () => start(stage.offered, valid(), { customParameters: { token: 7 } })],
  ["a start without a token", 1008, () => start(stage.offered, valid(), { customParameters: {} })],
  ["a start with nonsense for a token", 1008, () => start(stage.offered, "open sesame")],
  [
    "a start with a token of another key",
    1008,
    () =>
      start(
        stage.offered,
        createStreamTokens(["somebody else's token"]).sign({
          callSid: stage.offered,
          stream: 1,
          expiresAt: inAnHour(),
        }),
      ),
  ],
  [
    "a start with a token of another call",
    1008,
    () => start(stage.offered, tokens.sign({ callSid: stage.resumed, stream: 1, expiresAt: inAnHour() })),
  ],
  [
    "a start with a token of a stream to come",
    1008,
    () => start(stage.offered, tokens.sign({ callSid: stage.offered, stream: 2, expiresAt: inAnHour() })),
  ],
  [
    "a start with a token that has run out",
    1008,
    () => start(stage.offered, tokens.sign({ callSid: stage.offered, stream: 1, expiresAt: Date.now() - 1000 })),
  ],
  [
    "a start with a token made to last",
    1008,
    () => start(stage.offered, valid().replace(/\.\d+\./, `.${inAnHour() + 1e9}.`)),
  ],
  [
    "a start of another call's stream",
    1008,
    () => start(stage.resumed, tokens.sign({ callSid: stage.resumed, stream: 2, expiresAt: inAnHour() })),
  ],
  ["a start that names two streams", 1008, () => ({ ...start(stage.offered, valid()), streamSid: sid("MZ") })],
  ["binary", 1003, () => new Uint8Array(160)],
  ["a message of 600 KiB", 1009, () => "x".repeat(600 * 1024)],
];

describe("a media stream", () => {
  test.each([
    ["without a signature", 403, () => requestStream(stage.offered, { signature: "none" })],
    ["with a signature of another call", 403, () => requestStream(stage.offered, { signed: stage.resumed })],
    ["with nonsense for a signature", 403, () => requestStream(stage.offered, { signature: "AAAA" })],
    ["of an unknown call", 404, () => requestStream(sid("CA"))],
    ["of what is no call", 404, () => requestStream("everything")],
    ["of a call that has ended", 409, () => requestStream(stage.ended)],
    ["by a request that wants no WebSocket", 426, () => requestStream(stage.offered, { upgrade: false })],
  ] as [string, number, () => Promise<number>][])("requested with %s gets %d", async (_, status, request) => {
    expect(await changesNothing(request)).toBe(status);
  });

  test.each(forgedFrames)("%s closes with %d and changes nothing", async (_, code, message) => {
    const closed = await changesNothing(async () => {
      const socket = open(stage.offered);
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

  test("ignores forged, repeated and truncated frames", async () => {
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
    expect(await requestStream(callSid)).toBe(409);
    send({ event: "stop", streamSid });
    await until(() => socket.readyState === WebSocket.CLOSED);
    expect(await requestStream(callSid)).toBe(409);
  });

  test("of garbage only is closed and resumable", async () => {
    const callSid = await begin();
    const socket = open(callSid);
    const { promise: closed, resolve } = Promise.withResolvers<number>();
    socket.addEventListener("close", (event) => resolve(event.code));
    await until(() => socket.readyState === WebSocket.OPEN);
    socket.send(JSON.stringify(start(callSid, tokens.sign({ callSid, stream: 1, expiresAt: inAnHour() }))));
    await until(async () => (await stage.stack.store.read(callSid)).call?.step === "streaming", { what: "the stream" });
    for (let i = 0; i < 60; i++) socket.send("{");
    expect(await closed).toBe(1007);
    expect((await post("/action?stream=1", form(callSid))).text).toContain("stream=2");
  });
});
