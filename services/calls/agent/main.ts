import { loadConfig } from "../../../lib/runtime/config.ts";
import { operations, serve } from "../../../lib/runtime/http.ts";
import { run } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { serveAgent } from "./agent.ts";
import { callAgentEnv } from "./config.ts";

/* A voice agent for development: `bun run services/calls/agent/main.ts`, then CALL_AGENT_URL=ws://127.0.0.1:<port>/. */

const name = "prosaas-call-agent";
const config = loadConfig(callAgentEnv);
const logger = createLogger(name, config.LOG_LEVEL);

await run(name, logger, async (life) => {
  const operational = operations({
    logger,
    metrics: createMetrics(name),
    metricsToken: config.METRICS_TOKEN,
    ready: () => [],
  });
  const ops = serve({ app: operational, host: config.HOST, port: config.OPS_PORT, life });
  const { port } = serveAgent({
    host: config.HOST,
    port: config.PORT,
    tokens: config.CALL_AGENT_TOKEN,
    transferTo: config.CALL_AGENT_TRANSFER_TO ?? null,
    life,
    logger,
  });
  logger.info({ port, ops_port: ops.port }, "listening");
});
