import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Below Linux's ephemeral range (from 32,768), so that no outgoing connection takes the port of a server that a test
 * restarts, and above the ports of every stack in scripts/testing/cluster.ts.
 */
const range = { from: 30_000, to: 32_767 };

/** Returns a TCP and UDP port of 127.0.0.1 that is free. No other test process gets it while this one runs. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = range.from + Math.floor(Math.random() * (range.to - range.from + 1));
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no port from ${range.from} to ${range.to} is free`);
}

/** Holds a UDP socket on a loopback address that no server uses. It is closed when the process ends. */
function reserve(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createSocket("udp4");
  socket.once("error", () => {
    socket.close();
    resolve(false);
  });
  socket.bind({ address: "127.0.0.77", port, exclusive: true }, () => resolve(true));
  socket.unref();
  return promise;
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}
