import { randomUUID } from "node:crypto";
import { sleep } from "../core/time.ts";
import type { Lifecycle } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import type { ConsulClient } from "./client.ts";

export type Registration = {
  consul: ConsulClient;
  life: Lifecycle;
  logger: Logger;
  name: string;
  address: string;
  port: number;
  /** Where /ready and /metrics are; in Consul as meta `ops_port`, as in the job files. */
  opsPort: number;
  meta?: Record<string, string>;
  /** Milliseconds between two looks whether the agent still knows us; it forgets when its data is lost. */
  recheckMs?: number;
};

/**
 * Registers a service that was started by hand, passing from the first moment, and deregisters it when the
 * service stops. Who supervises a process registers it: under Nomad, callers leave this to the job's `service` block.
 */
export async function registerService({
  consul,
  life,
  logger,
  name,
  address,
  port,
  opsPort,
  meta = {},
  recheckMs = 5000,
}: Registration): Promise<void> {
  const id = `${name}-${port}-${randomUUID().slice(0, 8)}`;
  const definition = {
    id,
    name,
    address,
    port,
    meta: { ...meta, ops_port: String(opsPort) },
    check: {
      name: "ready",
      http: `http://${address}:${opsPort}/ready`,
      interval: "2s",
      timeout: "2s",
      status: "passing",
      deregistercriticalserviceafter: "10m",
    },
  };
  const register = () => consul.api.agent.service.register(definition);
  await register();

  const keep = async () => {
    while (!life.stopping.aborted) {
      try {
        await sleep(recheckMs, life.stopping);
        const known = (await consul.api.agent.service.list()) as Record<string, unknown>;
        if (!(id in known)) {
          logger.warn({ service_id: id }, "the Consul agent forgot this service; registering again");
          await register();
        }
      } catch (error) {
        if (!life.stopping.aborted) logger.warn({ error }, "the Consul agent does not answer");
      }
    }
  };
  const keeping = keep();
  life.onStop("consul registration", async () => {
    await keeping;
    await consul.api.agent.service.deregister(id);
  });
}

/** True where Nomad started this process and its job registers it. */
export function isSupervised(env: Record<string, string | undefined>): boolean {
  return Boolean(env["NOMAD_ALLOC_ID"]);
}
