import { connect as tlsConnect } from "node:tls";
import { quantile } from "../../cli/operator/table.ts";

/** One encoded request. */
export type MakeRequest = (n: number) => string;

export type LoadResult = {
  requests: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  failures: number;
  statuses: Record<number, number>;
};

export type LoadOptions = {
  port: number;
  make: MakeRequest;
  /** Connections, each with one request in flight. */
  connections: number;
  seconds: number;
  /** Ends earlier, after this many requests. */
  requests?: number;
  /** Requests a second over all connections. By default each connection sends the next request after the answer. */
  rate?: number;
};

type HttpRequest = { method: string; path: string; headers?: Record<string, string>; body?: string };

/** Encodes an HTTP/1.1 request for {@link load}. */
export function httpRequest({ method, path, headers = {}, body = "" }: HttpRequest): string {
  const lines = Object.entries({
    host: "localhost",
    ...headers,
    ...(body ? { "content-length": String(Buffer.byteLength(body)) } : {}),
  });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/**
 * Sends requests to an HTTPS server of this machine over kept connections, by sockets: the client costs about as little
 * as a database driver. With a rate, a request's latency counts from when it was due, so that a stall shows in every
 * request that it delays.
 */
export async function load({
  port,
  make,
  connections,
  seconds,
  requests = Number.POSITIVE_INFINITY,
  rate,
}: LoadOptions): Promise<LoadResult> {
  const times: number[] = [];
  const statuses: Record<number, number> = {};
  let failures = 0;
  let n = 0;
  const began = performance.now();
  const end = began + seconds * 1000;

  const one = async (index: number) => {
    let connection = await connect(port);
    try {
      for (let turn = 0; ; turn++) {
        // The connections take turns.
        const due = rate === undefined ? performance.now() : began + ((turn * connections + index) / rate) * 1000;
        if (due >= end || n >= requests) return;
        const early = due - performance.now();
        if (early > 0) await Bun.sleep(early);
        const { status, last } = await connection.ask(make(n++));
        times.push(performance.now() - due);
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status >= 400) failures += 1;
        if (last) connection = await connect(port);
      }
    } catch {
      failures += 1;
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)));
  const tookS = (performance.now() - began) / 1000;
  return {
    requests: times.length,
    perSecond: times.length / tookS,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    failures,
    statuses,
  };
}

/** `last`: the server closes the connection after the answer, as nginx does after a thousand requests. */
type Answer = { status: number; last: boolean };

async function connect(port: number) {
  let received = "";
  let answered: PromiseWithResolvers<Answer> | undefined;
  const { promise: open, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: Error) => {
    reject(error);
    answered?.reject(error);
  };
  // The benchmark made the certificate itself.
  const socket = tlsConnect({ host: "127.0.0.1", port, rejectUnauthorized: false }, resolve);
  socket.setNoDelay(true);
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection was closed")));
  socket.on("data", (chunk: Buffer) => {
    // latin1: one character a byte, because lengths are in bytes.
    received += chunk.toString("latin1");
    const head = received.indexOf("\r\n\r\n");
    if (head < 0) return;
    const headers = received.slice(0, head);
    const length = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? 0);
    if (received.length < head + 4 + length) return;
    received = received.slice(head + 4 + length);
    answered?.resolve({ status: Number(headers.slice(9, 12)), last: /connection: close/i.test(headers) });
  });
  await open;
  return {
    ask: (request: string): Promise<Answer> => {
      answered = Promise.withResolvers<Answer>();
      socket.write(request);
      return answered.promise;
    },
    close: () => void socket.destroy(),
  };
}
