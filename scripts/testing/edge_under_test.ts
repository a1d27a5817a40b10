import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Socket } from "node:net";
import { createConsul, kvPut } from "../../lib/consul/client.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import { until } from "../../lib/testing/until.ts";
import { startEdge } from "../lab/rig/edge.ts";
import type { EdgeOptions } from "../lab/rig/edge.ts";

export type Answer = { status: number; headers: Headers; body: string };

type SocketData = { audio?: Timer };

export type Handler = (
  request: Request,
  server: Bun.Server<SocketData>,
) => Response | undefined | Promise<Response | undefined>;

/** The edge with a Consul of its own, in front of two servers that stand in for the API and for calls. */
export async function startEdgeUnderTest(handle: Handler, options: Pick<EdgeOptions, "env" | "asDeployed"> = {}) {
  const server = await startConsulServer();
  const consul = createConsul({ addr: server.addr });
  const folder = await mkdtemp(join(tmpdir(), "prosaas-edge-"));
  const listen = () =>
    Bun.serve<SocketData>({
      hostname: "127.0.0.1",
      port: 0,
      maxRequestBodySize: 256 * 1024 * 1024,
      idleTimeout: 0,
      fetch: handle,
      websocket: {
        open: (socket) => {
          // The edge closes a stream without audio.
          socket.data.audio = setInterval(() => void socket.send("audio"), 3_000);
        },
        close: (socket) => clearInterval(socket.data.audio),
        message: (socket, message) => void socket.send(message),
      },
    });
  const [api, calls] = [listen(), listen()];
  const register = (name: string, port: number) =>
    consul.api.agent.service.register({ id: `${name}-${port}`, name, address: "127.0.0.1", port });
  const deregister = (name: string, port: number) => consul.api.agent.service.deregister(`${name}-${port}`);
  await register("prosaas-api", api.port!);
  await register("prosaas-calls", calls.port!);
  const reached = async (port: number) => {
    const answers = await Promise.all(
      ["/v1/x", "/webhooks/twilio/x"].map((path) => send(port, `GET ${path} HTTP/1.1\r\nHost: edge`)),
    );
    return answers.every(({ status }) => status === 200);
  };
  const stopServers = async () => {
    await Promise.all([api.stop(true), calls.stop(true)]);
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const edge = await startEdge(folder, server.addr, reached, options).catch(async (error: unknown) => {
    await stopServers();
    throw error;
  });
  return {
    ...edge,
    folder,
    api,
    register,
    deregister,
    setKey: (key: string, value: string) => kvPut(consul, key, value),
    log: () => readFile(join(folder, "edge.log"), "utf8"),
    /** The lines of the access log. */
    requests: async () => (await readFile(join(folder, "requests.log"), "utf8")).split("\n").slice(0, -1),
    configuration: () => readFile(join(folder, "nginx.live.conf"), "utf8"),
    /** The pid of nginx' master process. */
    master: async () => Number(await readFile(join(folder, "nginx.pid"), "utf8")),
    stop: async () => {
      await edge.stop();
      await stopServers();
    },
  };
}

export type EdgeUnderTest = Awaited<ReturnType<typeof startEdgeUnderTest>>;

export type Connection = {
  tls?: boolean;
  /** The address of this side; any of 127.0.0.0/8. */
  from?: string;
  /** A header of the PROXY protocol, sent before the TLS handshake. */
  preface?: string | Uint8Array;
};

/** An open connection to the edge; a client of ours would tidy up what it sends. */
export async function open(port: number, { tls = true, from, preface }: Connection = {}): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const plain = connectPlain({ port, host: "127.0.0.1", ...(from === undefined ? {} : { localAddress: from }) });
  if (preface !== undefined) plain.write(preface);
  const socket = tls ? connectTls({ socket: plain, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }) : plain;
  socket.once(tls ? "secureConnect" : "connect", resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the edge closed the connection")));
  await promise;
  socket.on("error", () => {});
  return socket;
}

/** Sends a request as it is written, without its last empty line, and returns the whole answer. */
export async function send(port: number, head: string, connection: Connection = {}): Promise<Answer> {
  const socket = await open(port, connection);
  let text = "";
  let closed = false;
  socket.on("data", (data) => (text += String(data)));
  socket.on("close", () => (closed = true));
  socket.write(`${head}\r\nConnection: close\r\n\r\n`);
  await until(() => closed, { what: "an answer", everyMs: 2 });
  return parse(text);
}

/** The answer of a text that a server sent. */
export function parse(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
  return { status: Number(first.split(" ")[1]), headers, body: text.slice(end + 4) };
}
