import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { until } from "../../lib/testing/until.ts";
import { open, send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";

/** Refuses each upload while its body arrives, and resets the connection, as closing one with unread data does. */
const replica = () =>
  createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (head) => {
      if (!String(head).startsWith("POST"))
        return socket.end("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nreplica");
      socket.pause();
      return socket.resetAndDestroy();
    });
  });
const replicas: Server[] = [replica(), replica()];
let edge: EdgeUnderTest;
beforeAll(async () => {
  edge = await startEdgeUnderTest(() => new Response("fine"));
  for (const server of replicas) {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    await edge.register("prosaas-api", (server.address() as AddressInfo).port);
  }
  await edge.deregister("prosaas-api", edge.api.port!);
  // The workers of the configuration before take requests until they have ended.
  await until(async () => (await several(get)).every(({ body }) => body === "replica"), {
    what: "both replicas, and no other",
  });
}, 60_000);
afterAll(async () => {
  await edge.stop();
  for (const server of replicas) server.close();
});

const get = () => send(edge.httpsPort, "GET /v1/x HTTP/1.1\r\nHost: edge");
const several = <T>(request: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: 20 }, request));

/** Sends the beginning of an upload, until it is refused. */
async function upload(): Promise<void> {
  const socket = await open(edge.httpsPort);
  let refused = false;
  socket.on("data", () => (refused = true));
  socket.on("close", () => (refused = true));
  socket.write("POST /v1/businesses/b/media HTTP/1.1\r\nHost: edge\r\nContent-Length: 110000000\r\n\r\n");
  socket.write(Buffer.alloc(1_000_000));
  await until(() => refused, { what: "the refusal" });
  socket.destroy();
}

test("refused uploads make no replica unavailable to others", async () => {
  await several(upload);
  expect(new Set((await several(get)).map(({ status }) => status))).toEqual(new Set([200]));
}, 60_000);
