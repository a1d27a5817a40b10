import type { BinaryNode } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import { offlineSocket } from "./offline_socket.fixture.ts";

// As in baileys.test.ts: these fail if the patches are not applied.

describe("an unanswered query", () => {
  test("ends by the timer of the settings", async () => {
    const timers: number[] = [];
    const startQueryTimer = (ms: number) => {
      timers.push(ms);
      return { delay: Promise.resolve(), cancel: () => {} };
    };
    const { socket, end } = offlineSocket({ startQueryTimer });
    expect(await socket.waitForMessage("1", 30_000)).toBeUndefined();
    expect(timers).toEqual([30_000]);
    await end();
  });
});

describe("a sync of the app state", () => {
  /** Syncs a collection with a server that gives this answer to each query. */
  const sync = async (answer: BinaryNode | undefined) => {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, at) => (at.upgrade(request) ? undefined : new Response(null, { status: 400 })),
      websocket: { message: () => {} },
    });
    const { socket, end } = offlineSocket({
      url: `ws://127.0.0.1:${server.port}`,
      startQueryTimer: timerOf(answer === undefined ? 0 : 60_000),
    });
    await until(() => socket.ws.isOpen, { what: "the connection" });
    let queries = 0;
    socket.ws.on("newListener", (event: string) => {
      if (!event.startsWith("TAG:")) return;
      queries += 1;
      if (answer !== undefined) setImmediate(() => socket.ws.emit(event, answer));
    });
    const outcome = await socket.resyncAppState(["regular_high"], false).then(
      () => "synced",
      (error: Error) => error.message,
    );
    await end();
    return { outcome, queries };
  };
  const timerOf = (ms: number) => () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    return { delay: promise, cancel: () => clearTimeout(timer) };
  };
  const answerWith = (collections: BinaryNode[]): BinaryNode => ({
    tag: "iq",
    attrs: { type: "result" },
    content: [{ tag: "sync", attrs: {}, content: collections }],
  });

  test("fails if a query is not answered", async () => {
    expect(await sync(undefined)).toEqual({ outcome: "WhatsApp did not answer the app state query", queries: 1 });
  }, 5_000);

  test("ends if an answer lacks the collection", async () => {
    expect(await sync(answerWith([]))).toEqual({ outcome: "synced", queries: 1 });
  }, 5_000);

  test("ends after fifty rounds", async () => {
    const more = { tag: "collection", attrs: { name: "regular_high", has_more_patches: "true" } };
    expect(await sync(answerWith([more]))).toEqual({ outcome: "synced", queries: 50 });
  }, 5_000);
});
