import { createConsul } from "../../lib/consul/client.ts";
import { isSupervised, registerService } from "../../lib/consul/register.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { loadConfig } from "../../lib/runtime/config.ts";
import { check, operations, serve } from "../../lib/runtime/http.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../lib/runtime/repeats.ts";
import { Autoscaler } from "./autoscaler.ts";
import { autoscalerEnv } from "./config.ts";
import { createAutoscalerMetrics } from "./metrics.ts";
import { createNomad } from "./nomad.ts";

/** The time until the next try after a fault of Consul. */
const retryMs = 1_000;

const config = loadConfig(autoscalerEnv);
const name = "prosaas-autoscaler";
const logger = createLogger(name, config.LOG_LEVEL);

await run(name, logger, async (life) => {
  const registry = createMetrics(name);
  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const warn = withoutRepeats((error, suppressed) =>
    logger.warn({ error: messageOf(error), suppressed }, "this round failed; the next one tries again"),
  );

  let looked = performance.now();
  const isLooking = () => {
    if (performance.now() - looked > config.AUTOSCALER_INTERVAL_MS + 60_000) throw new Error("it has stopped looking");
  };
  const app = operations({
    logger,
    metrics: registry,
    metricsToken: config.METRICS_TOKEN,
    ready: async () => [await check("rounds", isLooking)],
  });
  // Before the lock: its holder answers at its address.
  const { url, host, port } = serve({ app, host: config.HOST, port: config.OPS_PORT, life });
  if (!isSupervised(process.env))
    await registerService({ consul, life, logger, name, address: host, port, opsPort: port });

  const autoscaler = new Autoscaler({
    nomad: createNomad({ addr: config.NOMAD_ADDR, token: config.NOMAD_TOKEN }),
    consul,
    url,
    allocation: config.NOMAD_ALLOC_ID,
    metricsToken: config.METRICS_TOKEN?.[0],
    intervalMs: config.AUTOSCALER_INTERVAL_MS,
    logger,
    metrics: createAutoscalerMetrics(registry),
    onError: warn,
  });
  const looking = (async () => {
    while (!life.stopping.aborted) {
      const pause = await autoscaler.look().catch((error: unknown) => {
        warn(error);
        return retryMs;
      });
      looked = performance.now();
      await sleep(pause, life.stopping).catch(() => {});
    }
    await autoscaler.release();
  })();
  life.onStop("autoscaler", () => looking);
  logger.info({ ops_port: port }, "listening");
});
