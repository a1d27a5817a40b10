import { registerService } from "../../rig/consul_service.ts";
import type { Supervised } from "../../rig/supervised.ts";

/** A process with its registration in Consul, which Nomad adds and removes in a cluster. */
export type Member = {
  supervised: Supervised;
  /** Stops it as a scale-down does: it leaves Consul, too. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

export type MemberOptions = {
  consul: string;
  supervised: Supervised;
  service: string;
  port: number;
  opsUrl: string;
  meta?: Record<string, string>;
};

/** Registers a running process with the port of its metrics, where Prometheus finds it. */
export async function enlist({ consul, supervised, service, port, opsUrl, meta }: MemberOptions): Promise<Member> {
  const register = () => registerService(consul, service, port, { ...meta, ops_port: new URL(opsUrl).port });
  await register();
  return {
    supervised,
    stop: async () => {
      await fetch(`http://${consul}/v1/agent/service/deregister/${service}-${port}`, { method: "PUT" });
      await supervised.stop();
    },
    start: async () => {
      supervised.start();
      await register();
    },
  };
}
