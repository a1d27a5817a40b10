import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

export type FrontDoor = {
  port: number;
  url: string;
  /** Sets the backend ports. New connections go to them in turn and skip a port that refuses. */
  lead(ports: readonly number[]): void;
  /** Closes every open connection: in order, or with `reset` as a dying backend would. */
  drop(how?: "end" | "reset"): void;
  /** Passes on nothing more over the open connections and closes none, as if the backend's node had lost its power. */
  freeze(): void;
  close(): Promise<void>;
};

/** Starts a TCP proxy in front of several replicas. It stands in for the load balancer of production. */
export async function openFrontDoor(): Promise<FrontDoor> {
  let backends: readonly number[] = [];
  let next = 0;
  const open = new Set<Socket>();

  const connectBackend = (client: Socket, attempts: number): unknown => {
    const port = backends[next++ % Math.max(1, backends.length)];
    // A reset, as from a port where nothing listens.
    if (port === undefined || attempts === 0) return client.resetAndDestroy();
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    let connected = false;
    upstream.once("connect", () => {
      connected = true;
      open.add(upstream);
      client.pipe(upstream).pipe(client);
    });
    upstream.on("error", () => (connected ? client.destroy() : connectBackend(client, attempts - 1)));
    upstream.once("close", () => {
      open.delete(upstream);
      if (connected) client.destroy();
    });
    client.once("close", () => upstream.destroy());
  };

  const server = createServer({ noDelay: true }, (client) => {
    open.add(client);
    client.on("error", () => client.destroy());
    client.once("close", () => open.delete(client));
    connectBackend(client, backends.length);
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listening;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const drop: FrontDoor["drop"] = (how = "end") => {
    for (const socket of open) {
      if (how === "end") socket.destroy();
      else socket.resetAndDestroy();
    }
  };

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    lead: (ports) => {
      backends = ports;
    },
    drop,
    freeze: () => {
      for (const socket of open) socket.unpipe().pause();
    },
    close: async () => {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      drop();
      await closed;
    },
  };
}
