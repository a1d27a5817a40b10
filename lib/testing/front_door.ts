import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

export type FrontDoor = {
  port: number;
  url: string;
  /** Sets where new connections are led to, in turn; one that refuses is passed over. */
  lead(ports: readonly number[]): void;
  /** Breaks every connection that is open: by an orderly end, or with `reset` as the death of what it led to would. */
  drop(how?: "end" | "reset"): void;
  close(): Promise<void>;
};

/** What stands before several replicas: a proxy of connections, as a load balancer in production is one of requests. */
export async function openFrontDoor(): Promise<FrontDoor> {
  let backends: readonly number[] = [];
  let turn = 0;
  const open = new Set<Socket>();

  const lead = (client: Socket, left: number): unknown => {
    const port = backends[turn++ % Math.max(1, backends.length)];
    // As nobody listening would: a reset, and not an orderly end.
    if (port === undefined || left === 0) return client.resetAndDestroy();
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    let connected = false;
    upstream.once("connect", () => {
      connected = true;
      open.add(upstream);
      client.pipe(upstream).pipe(client);
    });
    upstream.on("error", () => (connected ? client.destroy() : lead(client, left - 1)));
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
    lead(client, backends.length);
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
    close: async () => {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      drop();
      await closed;
    },
  };
}
