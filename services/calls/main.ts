import { createConsul } from "../../lib/consul/client.ts";
import { registerService } from "../../lib/consul/register.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { loadCallsConfig } from "./config.ts";
import { startCalls } from "./service.ts";

const name = "prosaas-calls";
const config = loadCallsConfig();
const logger = createLogger(name, config.LOG_LEVEL);

await run(name, logger, async (life) => {
  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const { served, operational } = await startCalls({ config, life, logger, consul, name });
  const { host, port } = served;
  if (!config.supervised)
    await registerService({ consul, life, logger, name, address: host, port, opsPort: operational.port });
  logger.info({ port, ops_port: operational.port }, "listening");
});
