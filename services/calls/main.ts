import { createConsul } from "../../lib/consul/client.ts";
import { registerService } from "../../lib/consul/register.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { check, serve } from "../../lib/runtime/http.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { createApp } from "./app.ts";
import { loadCallsConfig } from "./config.ts";

const name = "prosaas-calls";
const config = loadCallsConfig();
const logger = createLogger(name, config.LOG_LEVEL);

await run(name, logger, async (life) => {
  const metrics = createMetrics(name);
  const redis = createRedis(config.REDIS_URL, "gate", (error) => logger.warn({ error: messageOf(error) }, "redis"));
  life.onStop("redis", () => redis.disconnect());
  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });

  const app = createApp({
    logger,
    metrics,
    metricsToken: config.METRICS_TOKEN,
    ready: async () => [await check("redis", () => redis.ping())],
  });
  const { host, port } = serve({ app, host: config.HOST, port: config.PORT, life });
  if (!config.supervised) await registerService({ consul, life, logger, name, address: host, port });
  logger.info({ port }, "listening");
});
