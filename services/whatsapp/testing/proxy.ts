/** A TCP proxy whose connections a test can cut. */
export function proxyTo(hostname: string, port: number) {
  const clients = new Set<Bun.Socket<{ upstream: Promise<Bun.Socket> }>>();
  const server = Bun.listen<{ upstream: Promise<Bun.Socket> }>({
    hostname: "127.0.0.1",
    port: 0,
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
    port: server.port,
    stop: () => {
      server.stop(true);
      for (const client of clients) client.terminate();
    },
  };
}
