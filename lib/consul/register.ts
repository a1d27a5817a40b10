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
  /** The port of /ready and /metrics. Registered in Consul as meta `ops_port`, as in the job files. */
  opsPort: number;
  meta?: Record<string, string>;
  /** Milliseconds between two checks that the agent still lists the service. It forgets it if its data is lost. */
  recheckMs?: number;
};

/**
 * Registers a service that was started by hand, with its check passing at first, and deregisters it when the service
 * stops. Under Nomad the job's `service` block registers the process, so callers skip this (`isSupervised`).
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
          logger.warn({ service_id: id }, "the Consul agent no longer lists this service; registering it again");
          await register();
        }
      } catch (error) {
        if (!life.stopping.aborted) logger.warn({ error }, "the Consul agent is unavailable");
      }
    }
  };
  const keeping = keep();
  life.onStop("consul registration", async () => {
    await keeping;
    await consul.api.agent.service.deregister(id);
  });
}

/** True if Nomad started this process; its job then registers the service. */
export function isSupervised(env: Record<string, string | undefined>): boolean {
  return Boolean(env["NOMAD_ALLOC_ID"]);
}
