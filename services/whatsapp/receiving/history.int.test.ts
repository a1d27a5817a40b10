import { proto } from "@whiskeysockets/baileys";
import type { SignalDataTypeMap, SignalKeyStore } from "@whiskeysockets/baileys";
import { afterEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { deflateSync, inflateSync } from "node:zlib";
import { encrypted, mediaKeys } from "../../../lib/media/index.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { RateShare } from "../../../lib/runtime/rate_share.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { threadCpuMs } from "../../../lib/testing/cpu_time.ts";
import { until } from "../../../lib/testing/until.ts";
import { History } from "./history.ts";

const mediaKey = randomBytes(32);
const contact = "4915112345678@s.whatsapp.net";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** Encrypts a history as its phone does. */
async function fileOf(history: Buffer): Promise<Buffer> {
  const source = async function* () {
    yield history;
  };
  return Buffer.concat(await Array.fromAsync(encrypted(source(), mediaKeys(mediaKey, "history"))));
}

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Answers each connection's first bytes by `answer`. */
async function startHost(answer: (socket: TLSSocket, request: string) => void) {
  const requests: string[] = [];
  const server = createServer(trustedCertificate(), (socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      requests.push(bytes.toString());
      answer(socket, bytes.toString());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => server.close());
  return { host: `localhost:${(server.address() as { port: number }).port}`, requests };
}

const answerOf = (file: Buffer) =>
  Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${file.length}\r\nConnection: close\r\n\r\n`), file]);

const content = deflateSync(
  proto.HistorySync.encode(
    proto.HistorySync.fromObject({
      syncType: 3,
      conversations: [{ id: contact, tcToken: Buffer.from("token"), tcTokenTimestamp: 1_800_000_000 }],
    }),
  ).finish(),
);
const file = await fileOf(content);
const alteredInside = await fileOf(Buffer.concat([content.subarray(0, 4), randomBytes(40)]));

/** The history behind a field of `bytes` that is not read. */
function lengthened(bytes: number) {
  const filler = proto.HistorySync.encode({ conversations: [], pastParticipants: [] })
    .uint32((127 << 3) | 2)
    .bytes(Buffer.alloc(bytes));
  return deflateSync(Buffer.concat([filler.finish(), inflateSync(content)]));
}

/** A history over in-memory stores. */
function startHistory(options: Partial<ConstructorParameters<typeof History>[0]>) {
  const entries = new Map<string, Buffer>();
  const tokens: Record<string, { token: Buffer }> = {};
  const history = new History({
    businessId: "b",
    store: () => ({
      read: (name: string) => entries.get(name),
      write: (changes: [string, Buffer | null][]) => {
        for (const [name, value] of changes)
          if (value === null) entries.delete(name);
          else entries.set(name, value);
      },
    }),
    keys: {
      get: (type: keyof SignalDataTypeMap, ids: string[]) =>
        type === "tctoken" ? Object.fromEntries(ids.flatMap((id) => (tokens[id] ? [[id, tokens[id]]] : []))) : {},
      set: (data: { tctoken?: typeof tokens }) => void Object.assign(tokens, data.tctoken),
    } as unknown as SignalKeyStore,
    logger: createLogger("test", "error"),
    retryDelaysMs: [1],
    ...options,
  });
  stops.push(() => history.stop());
  return { history, tokens, isIdle: () => !entries.has("history") };
}

const notification = (directPath: string, bytes = file, inside = content) => ({
  mediaKey,
  directPath,
  fileSha256: sha256(inside),
  fileEncSha256: sha256(bytes),
});

describe("a history on the media host", () => {
  test("leaves turns to the histories of other businesses", async () => {
    const long = lengthened(2 * 1024 * 1024);
    const longFile = await fileOf(long);
    const { host } = await startHost((socket, request) =>
      socket.end(answerOf(request.startsWith("GET /long ") ? longFile : file)),
    );
    // Four seconds for the long one alone.
    const share = new RateShare(512 * 1024);
    const shares = { inline: share, downloaded: share };
    const one = startHistory({ businessId: "one", mediaHost: host, shares });
    await one.history.take(notification("/long", longFile, long));
    const other = startHistory({ businessId: "other", mediaHost: host, shares });
    await other.history.take(notification("/v/history.enc"));
    await until(other.isIdle, { what: "the short history" });
    expect(other.tokens[contact]).toMatchObject({ token: Buffer.from("token") });
    expect(one.tokens).toEqual({});
    await until(() => contact in one.tokens, { what: "the long history" });
  });

  test("gives the tokens of its contacts", async () => {
    const { host, requests } = await startHost((socket) => socket.end(answerOf(file)));
    const { history, tokens, isIdle } = startHistory({ mediaHost: host });
    await history.take(notification("/v/history.enc"));
    await until(isIdle, { what: "the download" });
    expect(requests[0]).toStartWith("GET /v/history.enc ");
    expect(tokens[contact]).toMatchObject({ token: Buffer.from("token"), timestamp: "1800000000" });
  });

  test("does not count its turns as download time", async () => {
    const long = lengthened(512 * 1024);
    const longFile = await fileOf(long);
    const { host } = await startHost((socket) => socket.end(answerOf(longFile)));
    // The turns take four times the deadline, the download a fraction of it.
    const share = new RateShare(256 * 1024);
    const shares = { inline: share, downloaded: share };
    const { history, tokens, isIdle } = startHistory({ mediaHost: host, shares, downloadDeadlineMs: 500 });
    await history.take(notification("/long", longFile, long));
    await until(isIdle, { what: "the history" });
    expect(tokens[contact]).toMatchObject({ token: Buffer.from("token") });
  });

  test("stores nothing of a forged file", async () => {
    const forged = Buffer.concat([file, randomBytes(16)]);
    const { host, requests } = await startHost((socket) => socket.end(answerOf(forged)));
    const { history, tokens, isIdle } = startHistory({ mediaHost: host });
    await history.take(notification("/v/history.enc"));
    await until(isIdle, { what: "the last attempt" });
    expect(tokens).toEqual({});
    expect(requests).toHaveLength(2);
  });

  test.each([
    ["deflated bytes", alteredInside],
    ["encrypted bytes", Buffer.concat([file, randomBytes(16)])],
  ])("is downloaded again once after altered %s", async (_, altered) => {
    const { host, requests } = await startHost((socket) => socket.end(answerOf(requests.length > 1 ? file : altered)));
    const { history, tokens, isIdle } = startHistory({ mediaHost: host });
    await history.take(notification("/v/history.enc"));
    await until(isIdle, { what: "the download" });
    expect(tokens[contact]).toMatchObject({ token: Buffer.from("token") });
    expect(requests).toHaveLength(2);
  });

  test.each<[string, (socket: TLSSocket) => void]>([
    ["a reset", (socket) => socket.write(answerOf(file).subarray(0, -file.length + 32), () => socket.destroy())],
    ["a stalled download", (socket) => void socket.write(answerOf(file).subarray(0, -file.length + 32))],
    ["a host without an answer", () => {}],
    ["bytes that cannot be decrypted", (socket) => void socket.end(answerOf(randomBytes(33)))],
  ])("reads the next one after %s", async (_, fail) => {
    const { host } = await startHost((socket, request) => {
      if (request.startsWith("GET /broken ")) fail(socket);
      else socket.end(answerOf(file));
    });
    const { history, tokens, isIdle } = startHistory({ mediaHost: host, downloadDeadlineMs: 300 });
    await history.take(notification("/broken"));
    await history.take(notification("/v/history.enc"));
    await until(() => contact in tokens, { what: "the second history" });
    await until(isIdle, { what: "the last attempt" });
  });

  test("is not followed to another host", async () => {
    const inner = await startHost((socket) => socket.end(answerOf(file)));
    const location = `https://${inner.host}/v/history.enc`;
    const { host } = await startHost((socket) =>
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
    );
    const { history, tokens, isIdle } = startHistory({ mediaHost: host });
    for (const path of ["/redirect", location, `//${inner.host}/x`, `@${inner.host}/x`, ".localhost/x"])
      await history.take(notification(path));
    await until(isIdle, { what: "the last attempt" });
    expect(inner.requests).toEqual([]);
    expect(tokens).toEqual({});
  });

  test("is downloaded through the business's proxy", async () => {
    const asked: string[] = [];
    const proxy = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket, bytes) => {
          asked.push(bytes.toString().split("\r\n")[0]!);
          socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        },
      },
    });
    stops.push(() => proxy.stop(true));
    const { history, isIdle } = startHistory({ proxyUrl: `http://user:secret@127.0.0.1:${proxy.port}` });
    await history.take(notification("/v/history.enc"));
    await until(isIdle, { what: "the last attempt" });
    expect(asked[0]).toBe("CONNECT mmg.whatsapp.net:443 HTTP/1.1");
  });
});

describe("a history in the notification", () => {
  const inline = (conversation: Buffer, times: number) => {
    const field = Buffer.concat([Buffer.from([0x12]), varint(conversation.length), conversation]);
    return deflateSync(Buffer.concat(Array.from({ length: times }, () => field)));
  };
  const varint = (value: number): Buffer =>
    value < 0x80 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >>> 7)]);

  test.each([
    ["24 MB", 8 * 1024 * 1024 - 2, 3],
    ["1 MB", 512 * 1024, 2],
  ])("of %s of messages does not block", async (_, bytes, times) => {
    const payload = inline(Buffer.alloc(bytes, Buffer.from([0x12, 0])), times);
    const { history } = startHistory({});
    let longestMs = 0;
    let at = threadCpuMs();
    const measure = () => {
      longestMs = Math.max(longestMs, threadCpuMs() - at);
      at = threadCpuMs();
    };
    const clock = setInterval(measure, 5);
    await history.take({ initialHistBootstrapInlinePayload: payload });
    measure();
    clearInterval(clock);
    expect(longestMs).toBeLessThan(500);
  });

  test("gives the tokens of its contacts", async () => {
    const { history, tokens } = startHistory({});
    await history.take({ initialHistBootstrapInlinePayload: content });
    expect(tokens[contact]).toMatchObject({ token: Buffer.from("token"), timestamp: "1800000000" });
  });
});
