import { z } from "zod";
import { baseEnv, loadConfig } from "../../../lib/runtime/config.ts";
import { operations, serve } from "../../../lib/runtime/http.ts";
import { run } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { zNumber } from "../twilio/forms.ts";
import { serveAgent } from "./agent.ts";

/* A voice agent for development: `bun run services/calls/agent/main.ts`, then CALL_AGENT_URL=ws://127.0.0.1:<port>/. */

const name = "prosaas-call-agent";
const config = loadConfig(
  z.object({
    HOST: baseEnv.HOST,
    PORT: baseEnv.PORT,
    OPS_PORT: baseEnv.OPS_PORT,
    METRICS_TOKEN: baseEnv.METRICS_TOKEN,
    LOG_LEVEL: baseEnv.LOG_LEVEL,
    /** What the calls service must show (its CALL_AGENT_TOKEN); nothing where it is not set. */
    CALL_AGENT_TOKEN: z.string().min(16).optional(),
    /** Where the key 9 leads. */
    CALL_AGENT_TRANSFER_TO: zNumber.optional(),
  }),
);
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
    token: config.CALL_AGENT_TOKEN,
    transferTo: config.CALL_AGENT_TRANSFER_TO ?? null,
    life,
    logger,
  });
  logger.info({ port, ops_port: ops.port }, "listening");
});
