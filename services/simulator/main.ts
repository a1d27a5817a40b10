import { createConsul } from "../../lib/consul/client.ts";
import { registerService } from "../../lib/consul/register.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { loadSimulatorConfig } from "./config.ts";
import { startSimulator } from "./simulator.ts";

const config = loadSimulatorConfig();
const name = "prosaas-simulator";
const logger = createLogger(name, config.LOG_LEVEL);

async function mediaOptions() {
  const {
    SIMULATOR_MEDIA_CERT: cert,
    SIMULATOR_MEDIA_KEY: key,
    SIMULATOR_MEDIA_PORT: port,
    SIMULATOR_MEDIA_HOST: publicHost,
  } = config;
  if (cert === undefined || key === undefined) return undefined;
  return { port, publicHost, tls: { cert: await Bun.file(cert).text(), key: await Bun.file(key).text() } };
}

async function carrierOptions() {
  const {
    TWILIO_AUTH_TOKEN: [authToken, ...secondaryTokens] = [],
    TWILIO_ACCOUNT_SID: accountSid,
    PUBLIC_URL: publicUrl,
    SIMULATOR_CA_FILE: file,
  } = config;
  if (authToken === undefined) return undefined;
  return {
    authToken,
    secondaryTokens,
    accountSid,
    publicUrl,
    ca: file === undefined ? undefined : await Bun.file(file).text(),
  };
}

await run(name, logger, async (life) => {
  const simulator = startSimulator({
    host: config.HOST,
    port: config.PORT,
    opsPort: config.OPS_PORT,
    seed: config.SIMULATOR_SEED,
    folder: config.SIMULATOR_DATA,
    token: config.SIMULATOR_TOKEN,
    metricsToken: config.METRICS_TOKEN,
    media: await mediaOptions(),
    carrier: await carrierOptions(),
    logger,
  });
  life.onStop("simulator", () => simulator.stop());
  const { port, opsPort } = simulator;
  if (!config.supervised) {
    const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
    // The simulator itself does not need Consul, so it also runs without an agent.
    await registerService({ consul, life, logger, name, address: config.HOST, port, opsPort }).catch((error: unknown) =>
      logger.warn({ error: messageOf(error) }, "not registered in Consul: no agent answers"),
    );
  }
  logger.info({ port, ops_port: opsPort, ws_url: simulator.wsUrl, noise_root: simulator.rootBase64 }, "listening");
});
