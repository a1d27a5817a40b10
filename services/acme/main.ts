import { createConsul } from "../../lib/consul/client.ts";
import { loadConfig } from "../../lib/runtime/config.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { acmeEnv } from "./config.ts";
import { renew } from "./renew.ts";
import { connectVariables } from "./variables.ts";

const config = loadConfig(acmeEnv);
const logger = createLogger("prosaas-acme", config.LOG_LEVEL);

try {
  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const variables = connectVariables(config.NOMAD_ADDR, config.NOMAD_TOKEN);
  await renew({ config, consul, variables, logger });
} catch (error) {
  logger.error({ error }, "the certificate was not renewed; the edge keeps the one that it has");
  process.exitCode = 1;
}
