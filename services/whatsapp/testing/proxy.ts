import { freePort } from "../../../lib/testing/free_port.ts";

/**
 * A TCP proxy whose connections a test can cut. `listen`: its own port, to start a stopped one again. No other process
 * listens there after a stop.
 */
export async function proxyTo(hostname: string, port: number, listen?: number) {
  const own = listen ?? (await freePort());
  const clients = new Set<Bun.Socket<{ upstream: Promise<Bun.Socket> }>>();
  const server = Bun.listen<{ upstream: Promise<Bun.Socket> }>({
    hostname: "127.0.0.1",
    port: own,
    socket: {
      open: (client) => {
        clients.add(client);
        const upstream = Bun.connect({
          hostname,
          port,
          socket: { data: (_, chunk) => void client.write(chunk), close: () => void client.end() },
        });
        client.data = { upstream };
      },
      data: (client, chunk) => void client.data.upstream.then((upstream) => upstream.write(chunk)),
      close: (client) => {
        clients.delete(client);
        void client.data.upstream.then((upstream) => upstream.end());
      },
    },
  });
  return {
    port: own,
    stop: () => {
      server.stop(true);
      for (const client of clients) client.terminate();
    },
  };
}
