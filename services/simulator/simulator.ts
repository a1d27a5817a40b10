import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
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
import { Limits } from "./whatsapp/faults/limits.ts";
import { Ledger } from "./whatsapp/ledger.ts";
import { createNoiseIdentity } from "./whatsapp/noise/identity.ts";
import { Pairing } from "./whatsapp/pairing/pairing.ts";
import { PhoneBook } from "./whatsapp/phones/phonebook.ts";
import type { MediaTls } from "./whatsapp/media/media_host.ts";
import { startMediaHost } from "./whatsapp/media/media_host.ts";
import type { Simulation } from "./whatsapp/simulation.ts";
import { chatPath, serveChat } from "./whatsapp/chat_server.ts";
import { createStats } from "./whatsapp/stats.ts";
import { Store } from "./whatsapp/store.ts";

export type SimulatorOptions = {
  host?: string;
  /** Default: a free port. */
  port?: number;
  /** Port of /health, /ready and /metrics. Default: a free one. */
  opsPort?: number;
  /**
   * The same seed gives the same Noise root. By default the root is random, and stored in the folder if there is one.
   */
  seed?: string;
  /** Folder for phones, sessions and undelivered messages. Without it they are lost when the process ends. */
  folder?: string;
  /** Bearer token of the control API. Default: open. */
  token?: string;
  metricsToken?: string | readonly string[];
  /** The media host. Without it clients cannot exchange media. */
  media?: { port?: number; tls: MediaTls; publicHost?: string };
  /** The voice carrier's account, and the calls service that its numbers call. Without it there is no carrier. */
  carrier?: Omit<CarrierOptions, "baseUrl">;
  logger?: Logger;
};

export type Simulator = {
  port: number;
  opsPort: number;
  /** Base URL of /health, /ready and /metrics. */
  opsUrl: string;
  /** The control API. */
  url: string;
  /** URL for clients: Baileys' `waWebSocketUrl`. */
  wsUrl: string;
  /** The Noise root to trust: `WA_NOISE_ROOT`. */
  rootBase64: string;
  simulation: Simulation;
  /** Cuts all connections and closes the store. */
  stop(): Promise<void>;
};

/** Starts the simulator on one port: the chat service over WebSocket, and the control API. */
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
    ledger: new Ledger(),
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
  const server = serveChat(simulation, app, { host, port: options.port ?? 0 });
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
      // The receiver of the last status callbacks may be unavailable.
      await Promise.race([carrier?.stop(), sleep(3000)]);
      for (const connection of simulation.connections) connection.drop();
      await server.stop(true);
      await media?.stop();
      await life.stop();
      store.close();
    },
  };
}
