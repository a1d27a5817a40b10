import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Proxy } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";

/** A client sends its CONNECT in one segment. */
const maxRequestBytes = 16 * 1024;
const connectTimeoutMs = 20_000;

/**
 * An HTTP proxy on loopback that forwards to a SOCKS proxy, because Bun's `fetch` and WebSocket speak HTTP to proxies
 * only. Other processes of the machine do not know its password.
 */
export type Bridge = { url: string; stop(): void };

export async function startBridge(proxy: Proxy): Promise<Bridge> {
  const password = randomBytes(24).toString("hex");
  const expected = Buffer.from(`Basic ${Buffer.from(`bridge:${password}`).toString("base64")}`);
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client)).on("error", () => client.destroy());
    let request = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      request = Buffer.concat([request, chunk]);
      const end = request.indexOf("\r\n\r\n");
      if (end < 0) return request.length > maxRequestBytes ? client.destroy() : undefined;
      client.off("data", onData).pause();
      void forward(client, request.toString("latin1", 0, end), request.subarray(end + 4));
    };
    client.on("data", onData);
  });

  const forward = async (client: Socket, head: string, rest: Buffer) => {
    const header = head.split("\r\n").find((line) => line.toLowerCase().startsWith("proxy-authorization:"));
    const given = Buffer.from(header?.slice(header.indexOf(":") + 1).trim() ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      return client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const [, host, port] = /^CONNECT \[?([^\s\]]+?)\]?:(\d{1,5}) HTTP\/1\.[01]\r\n/.exec(`${head}\r\n`) ?? [];
    if (host === undefined) return client.end("HTTP/1.1 405 Method Not Allowed\r\n\r\n");
    try {
      const upstream = await openTunnel(proxy, { host, port: Number(port) }, connectTimeoutMs);
      upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
      client.on("close", () => upstream.destroy());
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      if (rest.length > 0) upstream.write(rest);
      client.pipe(upstream);
      upstream.pipe(client);
    } catch {
      client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    }
  };

  const port = await listening(server);
  return {
    url: `http://bridge:${password}@127.0.0.1:${port}`,
    stop: () => {
      server.close();
      for (const client of clients) client.destroy();
    },
  };
}

function listening(server: Server): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  return promise;
}
