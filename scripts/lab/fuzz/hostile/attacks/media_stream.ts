import { randomBytes } from "node:crypto";
import { signatureOf } from "../../../../../services/calls/twilio/signature.ts";
import { isRefused, kind } from "../kind.ts";
import type { Attack, AttackKind, Random, Verdict } from "../kind.ts";
import { garbage } from "../files.ts";
import { encodeRequest } from "../wire.ts";
import type { Line } from "../wire.ts";
import { callForm, sidOf } from "./carrier.ts";

/* Frames on the media stream of a call that the carrier began. */

type Opcode = 0 | 1 | 2 | 8 | 9 | 10 | 3 | 11;
type FrameOptions = { opcode?: Opcode; fin?: boolean; masked?: boolean; reserved?: number; length?: number };

/** A WebSocket frame (RFC 6455 §5.2), as it should be or not. */
function frame(payload: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = 1, fin = true, masked = true, reserved = 0, length } = options;
  const data = Buffer.from(payload as Uint8Array);
  const size = length ?? data.length;
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (size < 126) head.push(mask | size);
  else if (size < 65_536) head.push(mask | 126, size >> 8, size & 255);
  else
    head.push(
      mask | 127,
      0,
      0,
      Math.floor(size / 2 ** 40) & 255,
      Math.floor(size / 2 ** 32) & 255,
      (size >>> 24) & 255,
      (size >> 16) & 255,
      (size >> 8) & 255,
      size & 255,
    );
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, data.map((byte, n) => byte ^ key[n & 3]!)]);
}

const upgrade = (signature?: string) => ({
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": randomBytes(16).toString("base64"),
  ...(signature === undefined ? {} : { "x-twilio-signature": signature }),
});

/** Opens the socket of a call's stream with its signature. */
async function openSocket(attack: Attack, callSid: string): Promise<Line> {
  const { publicUrl, authToken } = attack.target;
  const path = `/media/${callSid}`;
  const signature = signatureOf(authToken, `${publicUrl.replace(/^http/, "ws")}${path}`, []);
  const line = await attack.line();
  await line.write(
    encodeRequest({ method: "GET", path, headers: { host: new URL(publicUrl).host, ...upgrade(signature) } }),
  );
  await line.answer(attack.budgetMs);
  return line;
}

/** Begins a call, has its stream opened and `abuse` do what it does, and ends the call. */
async function onStream(
  attack: Attack,
  abuse: (stream: { line: Line; callSid: string; streamSid: string; start: string }) => Promise<Verdict | void>,
): Promise<Verdict> {
  const call = { CallSid: sidOf("CA") };
  const answer = await attack.asCarrier("/webhooks/twilio/voice", callForm(attack, call));
  try {
    const token = /name="token" value="([^"]+)"/.exec(answer?.body ?? "")?.[1];
    // All slots are taken, or the platform sheds load: that is an answer too.
    if (token === undefined) return undefined;
    const line = await openSocket(attack, call.CallSid);
    const streamSid = sidOf("MZ");
    const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 };
    const start = {
      streamSid,
      callSid: call.CallSid,
      accountSid: attack.target.accountSid,
      customParameters: { token },
      mediaFormat,
    };
    const verdict = await abuse({
      line,
      callSid: call.CallSid,
      streamSid,
      start: JSON.stringify({ event: "start", streamSid, start }),
    });
    line.close();
    return verdict ?? undefined;
  } finally {
    await attack.asCarrier(
      "/webhooks/twilio/status",
      callForm(attack, { ...call, CallStatus: "completed", CallDuration: "1" }),
    );
  }
}

const media = (streamSid: string, payload: string, chunk: number | string = 1) =>
  JSON.stringify({
    event: "media",
    streamSid,
    media: { track: "inbound", chunk: String(chunk), timestamp: "0", payload },
  });

const audio = Buffer.alloc(160, 0xff).toString("base64");

export const mediaStreamAttacks: AttackKind[] = [
  kind("carrier", "stream-unsigned", async (attack, random) => {
    const sid = random.pick([sidOf("CA"), "calls", "..", "CA", "%00"]);
    const headers = upgrade(random.pick([undefined, "x", "x".repeat(6_000)]));
    return isRefused(await attack.ask({ method: "GET", path: `/media/${sid}`, headers }));
  }),
  kind("carrier", "stream-unknown-call", async (attack) => {
    const line = await openSocket(attack, sidOf("CA"));
    await line.hold(50);
    return undefined;
  }),
  kind("carrier", "stream-nonsense", (attack, random) =>
    onStream(attack, async ({ line }) => {
      for (let n = 0; n < 100; n++)
        await line.write(frame(garbage(random, random.below(300)), { opcode: random.pick([1, 2]) }));
      await line.hold(200);
    }),
  ),
  kind(
    "carrier",
    "stream-json-deep",
    (attack, random) =>
      onStream(attack, async ({ line, start }) => {
        await line.write(frame(start));
        const depth = 1_000 + random.below(80_000);
        for (let n = 0; n < 3; n++) await line.write(frame(`${"[".repeat(depth)}${"]".repeat(depth)}`));
        await line.hold(200);
      }),
    { count: 30 },
  ),
  kind(
    "carrier",
    "stream-frames-large",
    (attack, random) =>
      onStream(attack, async ({ line, start, streamSid }) => {
        await line.write(frame(start));
        const size = random.pick([300_000, 319_996, 400_000, 600_000]);
        for (let n = 0; n < 4; n++) await line.write(frame(media(streamSid, "/".repeat(size), n)));
        await line.hold(300);
      }),
    { count: 30 },
  ),
  kind("carrier", "stream-protocol-broken", (attack, random) =>
    onStream(attack, async ({ line, start }) => {
      const broken = [
        frame("x", { masked: false }),
        frame("x", { reserved: 7 }),
        frame("x", { opcode: 3 }),
        frame("x", { opcode: 11 }),
        frame("x".repeat(200), { opcode: 9 }),
        frame("x", { opcode: 9, fin: false }),
        frame("x", { opcode: 0 }),
        frame(Buffer.from([0xc0, 0x80, 0xff])),
        frame("x", { length: 2 ** 40 }),
        frame(Buffer.from([0, 1]), { opcode: 8 }),
      ];
      if (random.chance(0.5)) await line.write(frame(start));
      await line.write(random.pick(broken));
      await line.hold(200);
    }),
  ),
  kind(
    "carrier",
    "stream-fragments",
    (attack) =>
      onStream(attack, async ({ line, start }) => {
        await line.write(frame(start));
        await line.write(frame("x", { fin: false }));
        for (let n = 0; n < 2_000; n++) await line.write(frame("x".repeat(400), { opcode: 0, fin: false }));
        await line.hold(200);
      }),
    { count: 20 },
  ),
  kind(
    "carrier",
    "stream-pings",
    (attack) =>
      onStream(attack, async ({ line, start }) => {
        await line.write(frame(start));
        await line.write(Buffer.concat(Array.from({ length: 3_000 }, () => frame("x".repeat(100), { opcode: 9 }))));
        await line.hold(200);
      }),
    { count: 20 },
  ),
  kind(
    "carrier",
    "stream-flood",
    (attack) =>
      onStream(attack, async ({ line, start, streamSid }) => {
        await line.write(frame(start));
        // A minute of audio at once.
        for (let n = 0; n < 3_000 && !line.isClosed; n++) await line.write(frame(media(streamSid, audio, n)));
        await line.hold(300);
      }),
    { count: 20, width: 4 },
  ),
  kind(
    "carrier",
    "stream-not-read",
    (attack) =>
      onStream(attack, async ({ line, start, streamSid }) => {
        await line.write(frame(start));
        // The agent echoes the audio, which this attacker never reads.
        line.stall();
        for (let n = 0; n < 1_500 && !line.isClosed; n++) await line.write(frame(media(streamSid, audio, n)));
        await line.hold(1_000);
      }),
    { count: 24, width: 8, budgetMs: 20_000 },
  ),
  kind(
    "carrier",
    "stream-without-start",
    (attack) =>
      onStream(attack, async ({ line }) => {
        await line.write(frame(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" })));
        await line.hold(2_000);
      }),
    { count: 60, width: 30, budgetMs: 20_000 },
  ),
  kind("carrier", "stream-marks", (attack, random: Random) =>
    onStream(attack, async ({ line, start, streamSid }) => {
      await line.write(frame(start));
      const name = random.pick(["x".repeat(256), "x".repeat(100_000), "\u0000", "keys:1"]);
      for (let n = 0; n < 200; n++)
        await line.write(frame(JSON.stringify({ event: "mark", streamSid, mark: { name } })));
      for (let n = 0; n < 200; n++)
        await line.write(frame(JSON.stringify({ event: "dtmf", streamSid, dtmf: { digit: "5" } })));
      await line.hold(200);
    }),
  ),
  kind("carrier", "stream-token-wrong", (attack, random) =>
    onStream(attack, async ({ line, start }) => {
      const token = random.pick(["1.1.x", "x", `1.9999999999999.${"A".repeat(43)}`, "x".repeat(100_000)]);
      await line.write(frame(start.replace(/"token":"[^"]*"/, `"token":${JSON.stringify(token)}`)));
      await line.hold(200);
    }),
  ),
];
