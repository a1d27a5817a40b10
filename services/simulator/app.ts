import { Hono } from "hono";
import { bearer, requestLog } from "../../lib/runtime/http.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { notFound, problemHandler } from "../../lib/runtime/problem.ts";
import { carrierControl, carrierRest } from "./carrier/index.ts";
import type { Carrier } from "./carrier/index.ts";
import { whatsappControl } from "./whatsapp/routes.ts";
import type { Simulation } from "./whatsapp/simulation.ts";
import { countedStats } from "./whatsapp/stats.ts";

type AppOptions = { metrics: Metrics; carrier?: Carrier | undefined; token?: string | undefined };

/** The control API of both halves, and the carrier's own REST API. */
export function createApp(simulation: Simulation, { metrics, carrier, token }: AppOptions): Hono {
  const app = new Hono();
  app.onError(problemHandler(simulation.logger));
  app.notFound(notFound);
  app.use(requestLog(simulation.logger, metrics));
  metrics.gauge("simulator_connections", "Open connections of clients.", [], (gauge) =>
    gauge.set(simulation.connections.size),
  );
  metrics.gauge("simulator_phones", "Virtual phones.", [], (gauge) => gauge.set(simulation.phones.size));
  for (const name of countedStats) {
    metrics.gauge(`simulator_${name}`, "As in GET /stats.", [], (gauge) => gauge.set(simulation.stats[name]));
  }
  // Before the control API's token: the REST API has its own credentials.
  if (carrier !== undefined) app.route("/", carrierRest(carrier));
  if (token !== undefined) app.use(bearer(token));
  if (carrier !== undefined) app.route("/", carrierControl(carrier));
  app.route("/", whatsappControl(simulation));
  return app;
}
