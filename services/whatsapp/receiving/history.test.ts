import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { createLogger } from "../../../lib/runtime/log.ts";
import { until } from "../../../lib/testing/until.ts";
import { History } from "./history.ts";

const logger = createLogger("test", "error");
let proxy: Bun.TCPSocketListener<undefined>;
let requests: string[];
let refusal: string;
let stored: Buffer | null;
const running: History[] = [];

/** A proxy that refuses each request. */
beforeEach(() => {
  requests = [];
  refusal = "502 Bad Gateway";
  stored = null;
  proxy = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, data) => {
        requests.push(data.toString().split("\r\n")[0]!);
        socket.end(`HTTP/1.1 ${refusal}\r\ncontent-length: 0\r\n\r\n`);
      },
    },
  });
});
afterEach(() => {
  for (const history of running.splice(0)) history.stop();
  proxy.stop(true);
});

function start(retryDelaysMs: number[]): History {
  const history = new History({
    businessId: "b",
    store: () => ({
      read: () => stored ?? undefined,
      write: (entries) => {
        const value = [...entries][0]?.[1];
        stored = value ? Buffer.from(value) : null;
      },
    }),
    keys: { get: () => ({}), set: () => {} },
    logger,
    proxyUrl: `http://127.0.0.1:${proxy.port}`,
    retryDelaysMs,
  });
  running.push(history);
  return history;
}

const shared = (n: number, changes: proto.Message.IHistorySyncNotification = {}) =>
  proto.Message.HistorySyncNotification.create({
    directPath: `/history/${n}`,
    mediaKey: Buffer.alloc(32, n),
    fileSha256: Buffer.alloc(32, n),
    fileEncSha256: Buffer.alloc(32, n),
    ...changes,
  });
const pending = () =>
  (JSON.parse(stored?.toString() ?? "[]") as { failures: number }[]).map(({ failures }) => failures);

describe("a history whose download can never succeed", () => {
  test.each([
    ["without a key", { mediaKey: null }],
    ["without a digest", { fileEncSha256: null }],
    ["on another host", { directPath: "https://host.example/history" }],
  ])("is given up at once: %s", async (_, changes) => {
    const warned = spyOn(logger, "warn");
    warned.mockClear();
    await start([1]).take(shared(1, changes));
    await until(() => warned.mock.calls.length > 0 && stored === null, { what: "the end of the history" });
    expect(warned.mock.calls.map(([fields]) => Object.keys(fields as object))).toEqual([["error"]]);
    expect(requests).toEqual([]);
  });
});

describe("a history whose download fails", () => {
  test("waits, and so do those behind it", async () => {
    const warned = spyOn(logger, "warn");
    const history = start([60_000]);
    await Promise.all([history.take(shared(1)), history.take(shared(2))]);
    await until(() => warned.mock.calls.length > 0 && pending().includes(1), { what: "the recorded failure" });
    expect(pending().toSorted()).toEqual([0, 1]);
    expect(requests).toEqual(["CONNECT mmg.whatsapp.net:443 HTTP/1.1"]);
  });

  test.each(["502 Bad Gateway", "403 Forbidden", "404 Not Found"])(
    "is retried, and given up in the end: %s",
    async (answer) => {
      refusal = answer;
      await start([1, 5]).take(shared(1));
      await until(() => requests.length === 12 && stored === null, { what: "the last attempt" });
    },
  );

  test("is not recorded if its notification is too long", async () => {
    await start([1]).take(shared(1, { originalMessageId: "x".repeat(20_000) }));
    expect(stored).toBeNull();
  });

  test("is retried by the next connection", async () => {
    const first = start([50]);
    await first.take(shared(1));
    await until(() => pending()[0] === 1, { what: "the first attempt" });
    first.stop();
    await start([60_000]).readPending();
    await until(() => pending()[0] === 2, { what: "the second attempt" });
  });

  test("is given up after ending the process three times", async () => {
    await start([60_000]).take(shared(1));
    await until(() => pending()[0] === 1, { what: "the first attempt" });
    const entries = JSON.parse(stored!.toString()) as object[];
    stored = Buffer.from(JSON.stringify(entries.map((entry) => ({ ...entry, attempts: 3, next_at: 0 }))));
    await start([60_000]).readPending();
    expect(stored).toBeNull();
    expect(requests).toHaveLength(1);
  });
});
