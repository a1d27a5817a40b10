import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** A proxy on loopback for tests, with the credentials that it requires. */
export type TestProxy = {
  url: string;
  /** Tunnels opened so far, as host:port. */
  tunnels: string[];
  /** Bytes that clients sent, so far. */
  sentBytes(): number;
  stop(): Promise<void>;
};

const username = "anna";
const password = "p@ss:word";

type Listen = (onClient: (client: Socket) => void) => Server;
type Accept = (client: Socket, opened: (target: string) => void) => void;

async function serve(protocol: string, accept: Accept, listen: Listen = createServer): Promise<TestProxy> {
  const tunnels: string[] = [];
  let bytes = 0;
  const clients = new Set<Socket>();
  const server = listen((client) => {
    clients.add(client);
    client.on("data", (chunk: Buffer) => (bytes += chunk.length));
    client.on("close", () => clients.delete(client)).on("error", () => client.destroy());
    accept(client, (target) => tunnels.push(target));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", () => resolve());
  await promise;
  const { port } = server.address() as { port: number };
  return {
    url: `${protocol}://${username}:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    tunnels,
    sentBytes: () => bytes,
    stop: async () => {
      const { promise: stopped, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      for (const client of clients) client.destroy();
      await stopped;
    },
  };
}

function join(client: Socket, host: string, port: number, onOpen: () => void): void {
  const upstream = connect({ host, port }, () => {
    onOpen();
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
  client.on("close", () => upstream.destroy());
}

const acceptHttp: Accept = (client, opened) => {
  client.once("data", (chunk: Buffer) => {
    const head = chunk.toString("latin1");
    const [, host, port] = /^CONNECT ([^:]+):(\d+) /.exec(head) ?? [];
    const expected = Buffer.from(`${username}:${password}`).toString("base64");
    if (!head.includes(`Proxy-Authorization: Basic ${expected}\r\n`)) return client.end("HTTP/1.1 407 Denied\r\n\r\n");
    if (host === undefined) return client.end("HTTP/1.1 405 Denied\r\n\r\n");
    opened(`${host}:${port}`);
    join(client, host, Number(port), () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
  });
};

export const startHttpProxy = () => serve("http", acceptHttp);

/** Its clients have to trust the certificate: lib/testing/certificate.ts. */
export const startHttpsProxy = (tls: { cert: string; key: string }) =>
  serve("https", acceptHttp, (onClient) => createTlsServer(tls, onClient));

/** RFC 1928 with the authentication of RFC 1929. */
export const startSocksProxy = () =>
  serve("socks5", (client, opened) => {
    client.once("data", (greeting: Buffer) => {
      if (!greeting.subarray(2).includes(2)) return client.end(Buffer.from([5, 0xff]));
      client.write(Buffer.from([5, 2]));
      client.once("data", (login: Buffer) => {
        const name = login.toString("utf8", 2, 2 + login[1]!);
        const secret = login.toString("utf8", 3 + login[1]!);
        if (name !== username || secret !== password) return client.end(Buffer.from([1, 1]));
        client.write(Buffer.from([1, 0]));
        client.once("data", (request: Buffer) => {
          const host =
            request[3] === 1 ? request.subarray(4, 8).join(".") : request.toString("utf8", 5, 5 + request[4]!);
          const port = request.readUInt16BE(request.length - 2);
          opened(`${host}:${port}`);
          join(client, host, port, () => client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
        });
      });
    });
  });
