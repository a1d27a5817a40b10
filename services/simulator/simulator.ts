import type { Hono } from "hono";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { messageOf } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { isPlainRequest } from "../../lib/runtime/host.ts";
import { operations, serve } from "../../lib/runtime/http.ts";
import { createLifecycle } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { createApp } from "./app.ts";
import { Carrier } from "./carrier/index.ts";
import type { CarrierOptions } from "./carrier/index.ts";
import { Faults } from "./whatsapp/faults/faults.ts";
import { GroupBook } from "./whatsapp/groups/group_book.ts";
import { dispatch } from "./whatsapp/handlers/index.ts";
import { Limits } from "./whatsapp/faults/limits.ts";
import { greet } from "./whatsapp/login.ts";
import { createNoiseIdentity } from "./whatsapp/noise/identity.ts";
import { Pairing } from "./whatsapp/pairing/pairing.ts";
import { PhoneBook } from "./whatsapp/phones/phonebook.ts";
import type { MediaTls } from "./whatsapp/media/media_host.ts";
import { startMediaHost } from "./whatsapp/media/media_host.ts";
import type { Simulation } from "./whatsapp/simulation.ts";
import { createStats } from "./whatsapp/stats.ts";
import { Store } from "./whatsapp/store.ts";
import type { ConnectionEvents, Socket } from "./whatsapp/wire/connection.ts";
import { Connection } from "./whatsapp/wire/connection.ts";

export type SimulatorOptions = {
  host?: string;
  /** 0, the default, chooses a free port. */
  port?: number;
  /** Port of /health, /ready and /metrics. 0, the default, chooses a free one. */
  opsPort?: number;
  /** Seed of the Noise root; the same seed gives the same root. Unset: a random seed, stored in `folder`. */
  seed?: string;
  /** Folder of phones, sessions and undelivered messages. Unset: they are lost when the process ends. */
  folder?: string;
  /** Bearer token of the control API. Unset: the API is open. */
  token?: string;
  metricsToken?: string;
  /** The media host. Unset: clients cannot exchange media. */
  media?: { port?: number; tls: MediaTls; publicHost?: string };
  /** The voice carrier's account, and the calls service that its numbers call. Unset: no carrier. */
  carrier?: Omit<CarrierOptions, "baseUrl">;
  logger?: Logger;
};

export type Simulator = {
  port: number;
  opsPort: number;
  /** Base URL of /health, /ready and /metrics. */
  opsUrl: string;
  /** Base URL of the control API. */
  url: string;
  /** URL for clients: Baileys' `waWebSocketUrl`. */
  wsUrl: string;
  /** The Noise root to trust: `WA_NOISE_ROOT`. */
  rootBase64: string;
  simulation: Simulation;
  /** Closes all connections and the store. */
  stop(): Promise<void>;
};

/** WebSocket path of WhatsApp's chat service. */
const chatPath = "/ws/chat";
/** Far above the largest stanza of a client: an upload of 812 prekeys has some 50 KB. */
const maxFrameBytes = 16 * 1024 * 1024;

/** Starts the simulator on one port: WhatsApp's chat service over WebSocket, and the control API. */
export function startSimulator(options: SimulatorOptions = {}): Simulator {
  const logger = options.logger ?? createLogger("simulator", "error");
  const store = new Store(options.folder);
  const seed = options.seed ?? store.remember("seed", () => randomBytes(32).toString("hex"));
  const faults = new Faults();
  const media =
    options.media &&
    startMediaHost({
      host: options.host ?? "127.0.0.1",
      port: options.media.port ?? 0,
      tls: options.media.tls,
      faults,
      publicHost: options.media.publicHost,
      folder: options.folder === undefined ? undefined : join(options.folder, "media"),
    });
  const phones = new PhoneBook(store);
  const simulation: Simulation = {
    store,
    phones,
    groups: new GroupBook(store, phones),
    pairing: new Pairing(store),
    faults,
    limits: new Limits(),
    stats: createStats(),
    identity: createNoiseIdentity(seed),
    logger,
    media,
    connections: new Set(),
  };
  const carrier = options.carrier && new Carrier({ ...options.carrier, baseUrl: () => `http://${address()}` });
  const metrics = createMetrics("simulator");
  const app = createApp(simulation, { carrier, metrics, token: options.token });
  const host = options.host ?? "127.0.0.1";
  const life = createLifecycle("simulator");
  const operational = operations({
    logger,
    metrics,
    metricsToken: options.metricsToken,
    ready: () => [{ name: "store", ok: true }],
  });
  const ops = serve({ app: operational, host, port: options.opsPort ?? 0, life });
  const server = listen(simulation, app, options);
  const port = server.port ?? 0;
  const address = () => `${host}:${port}`;
  return {
    port,
    opsPort: ops.port,
    opsUrl: ops.url,
    url: `http://${address()}`,
    wsUrl: `ws://${address()}${chatPath}`,
    rootBase64: simulation.identity.root.toString("base64"),
    simulation,
    stop: async () => {
      // Bounded, because the application that receives the status callbacks may be unavailable.
      await Promise.race([carrier?.stop(), sleep(3000)]);
      for (const connection of simulation.connections) connection.drop();
      await server.stop(true);
      await media?.stop();
      await life.stop();
      store.close();
    },
  };
}

function listen(simulation: Simulation, app: Hono, { host = "127.0.0.1", port = 0 }: SimulatorOptions) {
  const events = connectionEvents(simulation);
  return Bun.serve<Socket["data"]>({
    hostname: host,
    port,
    fetch: (request, server) => {
      if (!isPlainRequest(request)) return new Response("The Host header must be host[:port].", { status: 400 });
      if (new URL(request.url).pathname !== chatPath) return app.fetch(request);
      if (simulation.faults.strikeIf("unavailable", ({ at }) => at === "upgrade"))
        return new Response("unavailable", { status: 503 });
      return server.upgrade(request, { data: {} }) ? undefined : new Response("This is a WebSocket.", { status: 426 });
    },
    websocket: {
      maxPayloadLength: maxFrameBytes,
      backpressureLimit: 256 * 1024 * 1024,
      open: (socket) => {
        simulation.stats.connections_opened += 1;
        const connection = new Connection(socket, simulation.identity, events);
        socket.data.connection = connection;
        simulation.connections.add(connection);
      },
      message: (socket, data) => socket.data.connection?.receive(typeof data === "string" ? Buffer.from(data) : data),
      close: ({ data: { connection } }) => {
        if (connection) disconnected(simulation, connection);
      },
    },
  });
}

function connectionEvents(simulation: Simulation): ConnectionEvents {
  return {
    onHello: (connection, hello) => greet(simulation, connection, hello),
    onStanza: (connection, stanza) => dispatch(simulation, connection, stanza),
    onError: (connection, error) => {
      simulation.stats.protocol_errors += 1;
      simulation.logger.warn(
        { phone: connection.login?.phone.phone, reason: messageOf(error) },
        "closed a connection after a protocol error",
      );
    },
  };
}

function disconnected(simulation: Simulation, connection: Connection): void {
  connection.ended();
  simulation.connections.delete(connection);
  simulation.pairing.forget(connection);
  connection.login?.device.mailbox.close(connection);
}
