import { connect, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { SocksClient } from "socks";
import type { Proxy } from "./proxy.ts";

export type Target = { host: string; port: number };

/** A proxy's answer to CONNECT is a status line and a few headers. */
const maxAnswerBytes = 16 * 1024;

/** Opens a TCP connection to a target through a proxy. The messages of its errors hold no credentials. */
export async function openTunnel(proxy: Proxy, target: Target, timeoutMs: number): Promise<Socket> {
  if (proxy.protocol !== "socks5") return connectThrough(proxy, target, timeoutMs);
  const { host, port, username, password } = proxy;
  const { socket } = await SocksClient.createConnection({
    command: "connect",
    proxy: {
      host,
      port,
      type: 5,
      ...(username === undefined ? {} : { userId: username, password: password ?? "" }),
    },
    destination: target,
    timeout: timeoutMs,
  });
  return socket;
}

function connectThrough(proxy: Proxy, { host, port }: Target, timeoutMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const isTls = proxy.protocol === "https";
  // TLS has no server names for IP addresses; the certificate is checked against the address then.
  const name = isIP(proxy.host) === 0 ? { servername: proxy.host } : {};
  const socket = isTls
    ? connectTls({ host: proxy.host, port: proxy.port, ...name })
    : connect({ host: proxy.host, port: proxy.port });
  const fail = (error: Error) => {
    socket.destroy();
    reject(error);
  };
  const timer = setTimeout(() => fail(new Error("the proxy did not answer in time")), timeoutMs);
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const credentials =
    proxy.username === undefined
      ? ""
      : `Proxy-Authorization: Basic ${Buffer.from(`${proxy.username}:${proxy.password ?? ""}`).toString("base64")}\r\n`;
  let answer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    const end = answer.indexOf("\r\n\r\n");
    if (end < 0) return answer.length > maxAnswerBytes ? fail(new Error("the proxy's answer is too long")) : undefined;
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString("latin1", 0, end))?.[1];
    if (status !== "200") return fail(new Error(`the proxy answered ${status ?? "nothing intelligible"}`));
    socket.off("data", onData).off("close", onClose).off("error", fail);
    if (answer.length > end + 4) socket.unshift(answer.subarray(end + 4));
    resolve(socket);
  };
  const onClose = () => fail(new Error("the proxy closed the connection"));
  socket.on("data", onData).on("close", onClose).on("error", fail);
  socket.once(isTls ? "secureConnect" : "connect", () =>
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`),
  );
  return promise.finally(() => clearTimeout(timer));
}
