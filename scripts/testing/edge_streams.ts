import { until } from "../../lib/testing/until.ts";
import { open } from "./edge_under_test.ts";
import type { Handler } from "./edge_under_test.ts";

/** Answers with event streams, WebSockets that echo, and with `name` to everything else. */
export const serveStreams =
  (name: string): Handler =>
  (request, server) => {
    if (request.headers.get("upgrade") === "websocket")
      return server.upgrade(request, { data: {} }) ? undefined : new Response("no", { status: 400 });
    if (!request.url.endsWith("/events")) return new Response(name);
    let heartbeat: Timer;
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue(": open\n\n");
        // The edge closes a stream without one.
        heartbeat = setInterval(() => controller.enqueue(": heartbeat\n\n"), 10_000);
      },
      cancel: () => clearInterval(heartbeat),
    });
    return new Response(stream);
  };

/** An instance of the API that serves {@link serveStreams}. It does not keep the process alive. */
export function startInstance(name: string) {
  const fetch = serveStreams(name) as () => Response;
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch });
  server.unref();
  return server;
}

export type EdgeStream = {
  isOpen(): boolean;
  /** Sends a frame over a WebSocket; false if the stream closes before it comes back. */
  echoes(): Promise<boolean>;
  close(): void;
};

async function openStream(port: number, head: string): Promise<EdgeStream> {
  const socket = await open(port);
  let text = "";
  let closed = false;
  socket.on("data", (data) => (text += data.toString("latin1")));
  socket.on("close", () => (closed = true));
  socket.write(head);
  await until(() => /^HTTP\/1\.1 (200|101)/.test(text), { what: "a stream to open" });
  let sent = 0;
  return {
    isOpen: () => !closed,
    echoes: async () => {
      const message = `frame${sent++}`;
      // A masked text frame.
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]), Buffer.from(message)]));
      return until(() => closed || text.includes(message), { what: "an echo" }).then(() => text.includes(message));
    },
    close: () => socket.destroy(),
  };
}

/** An event stream through the edge at a port. */
export const openEvents = (port: number): Promise<EdgeStream> =>
  openStream(port, "GET /v1/businesses/b/events HTTP/1.1\r\nHost: edge\r\n\r\n");

/** The media stream of a call. */
export const openMedia = (port: number): Promise<EdgeStream> =>
  openStream(
    port,
    "GET /media/CA1 HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
