import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Bytes kept of an answer. The rest is counted and dropped, so that a large answer costs the attacker nothing. */
const keptBytes = 256 * 1024;

export type Answer = {
  status: number;
  /** The head as it came, lower case. */
  head: string;
  body: string;
  ms: number;
};

export type LineOptions = {
  port: number;
  /** Address of loopback that the connection comes from. */
  source: string;
  /** TLS, by default. */
  secure?: boolean;
  protocol?: "http/1.1" | "h2";
  /** Factor of every time that the attacker waits. */
  patience?: number;
};

/** A connection of an attacker, by sockets, because an HTTP client would refuse to send malformed requests. */
export class Line {
  readonly #socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  #received = Buffer.alloc(0);
  #total = 0;
  #over = false;
  #wake: (() => void)[] = [];
  readonly #patience: number;

  private constructor(socket: Socket, patience: number) {
    this.#socket = socket;
    this.#patience = patience;
    socket.on("data", (chunk: Buffer) => {
      this.#total += chunk.length;
      if (this.#received.length < keptBytes) this.#received = Buffer.concat([this.#received, chunk]);
      this.#notify();
    });
    socket.on("close", () => {
      this.#over = true;
      this.#closed.resolve();
      this.#notify();
    });
  }

  static open({ port, source, secure = true, protocol = "http/1.1", patience = 1 }: LineOptions): Promise<Line> {
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    const address = { host: "127.0.0.1", port, localAddress: source };
    const socket = secure
      ? connectTls({ ...address, rejectUnauthorized: false, servername: "localhost", ALPNProtocols: [protocol] }, () =>
          resolve(line),
        )
      : connectTcp(address, () => resolve(line));
    const line = new Line(socket, patience);
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed before it was open")));
    return promise;
  }

  /** Resolves when the peer has closed it. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#over;
  }

  /** Bytes received so far. */
  get total(): number {
    return this.#total;
  }

  text(): string {
    return this.#received.toString("latin1");
  }

  /** Resolves when the bytes are sent or the connection is closed. */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#over) return;
    if (this.#socket.write(data)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("drain", resolve);
    await Promise.race([promise, this.closed]);
  }

  /** Reads no more: what the peer sends fills its buffers. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  /**
   * Waits for a whole HTTP/1.1 answer, or the end of the connection; null where none came. Rejects after `budgetMs`.
   */
  async answer(budgetMs: number): Promise<Answer | null> {
    const began = performance.now();
    for (;;) {
      const read = readAnswer(this.#received, this.#over || this.#total > keptBytes);
      if (read !== undefined) return read === null ? null : { ...read, ms: performance.now() - began };
      const left = budgetMs - (performance.now() - began);
      if (left <= 0) throw new Unanswered(budgetMs);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake.push(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  /** Keeps the connection for `ms`, or until the peer closes it. */
  async hold(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms * this.#patience);
    await Promise.race([promise, this.closed]);
    clearTimeout(timer);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A request that had no answer within its time. */
class Unanswered extends Error {
  constructor(budgetMs: number) {
    super(`no answer within ${budgetMs} ms`);
  }
}

/** Statuses that end with their head. */
const withoutBody = new Set([101, 204, 304]);

/** Undefined: not complete yet. Null: over without an answer. */
function readAnswer(received: Buffer, over: boolean): Omit<Answer, "ms"> | null | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return over ? null : undefined;
  const head = received.toString("latin1", 0, end).toLowerCase();
  const status = Number(/^http\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  // An interim answer: the real one follows.
  if (status === 100) return readAnswer(received.subarray(end + 4), over);
  const body = received.subarray(end + 4);
  const length = /\ncontent-length: *(\d+)/.exec(head)?.[1];
  const chunked = /\ntransfer-encoding: *chunked/.test(head);
  const whole =
    over ||
    withoutBody.has(status) ||
    (length !== undefined
      ? body.length >= Math.min(Number(length), keptBytes - end - 4)
      : chunked && body.includes("\r\n0\r\n\r\n"));
  return whole || (chunked && body.indexOf("0\r\n\r\n") === 0)
    ? { status, head, body: body.toString("utf8") }
    : undefined;
}

export type RequestParts = {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
};

/** A request as bytes, with a Content-Length unless the headers say how long it is. */
export function encodeRequest({ method, path, headers = {}, body }: RequestParts): Buffer {
  const bytes = body === undefined ? undefined : Buffer.from(body as Uint8Array);
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (!names.has("host")) lines.unshift("host: localhost\r\n");
  if (bytes !== undefined && !names.has("content-length") && !names.has("transfer-encoding"))
    lines.push(`content-length: ${bytes.length}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
  return bytes === undefined ? head : Buffer.concat([head, bytes]);
}
