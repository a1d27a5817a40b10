import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import { assignPhoneNumber } from "../../../../lib/db/index.ts";
import { createBusinessRow } from "../../../../lib/testing/business.ts";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { freePort } from "../../../../lib/testing/free_port.ts";
import { asRedisUser } from "../../../../lib/testing/redis_users.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { OnStop } from "../../rig/cleanup.ts";
import { registerService } from "../../rig/consul_service.ts";
import type { Platform } from "../../rig/platform.ts";
import type { Service } from "../../rig/services.ts";

/** Certificates and settings of calls and the edge, which the platform starts with. */
export type CarrierEnvironment = {
  httpsPort: number;
  tls: { certFile: string; keyFile: string };
  /** A certificate that ends soon, of the same name. */
  expiring: { certFile: string; keyFile: string };
  simulator: Record<string, string>;
  services: Record<string, string>;
};

/** Calls behind an edge, with a business that callers reach. */
export type CallsPart = {
  replicas: Service[];
  edge: { httpsPort: number; tls: CarrierEnvironment["tls"]; expiring: CarrierEnvironment["expiring"]; reload(): void };
  /** Dials the business; resolves with the call's sid at once. */
  dial(): Promise<string>;
  hangUp(sid: string): Promise<unknown>;
  /** True once the caller hears the agent. */
  isHeard(sid: string): Promise<boolean>;
};

const account = {
  TWILIO_AUTH_TOKEN: "the-account-token-of-the-alerts-run",
  TWILIO_ACCOUNT_SID: `AC${"0123456789abcdef".repeat(2)}`,
};

export async function carrierEnvironment(folder: string): Promise<CarrierEnvironment> {
  const made = async (name: string, days: number) => {
    await mkdir(join(folder, name));
    return makeCertificate(join(folder, name), days);
  };
  const [tls, expiring] = [await made("certificate", 90), await made("expiring", 7)];
  const trusted = join(folder, "trusted.pem");
  await Bun.write(trusted, (await Bun.file(tls.certFile).text()) + (await Bun.file(expiring.certFile).text()));
  const httpsPort = await freePort();
  const publicUrl = `https://127.0.0.1:${httpsPort}`;
  return {
    httpsPort,
    tls,
    expiring,
    simulator: { ...account, PUBLIC_URL: publicUrl, SIMULATOR_CA_FILE: trusted },
    services: { ...account, PUBLIC_URL: publicUrl, CALLS_TOKEN: "the-token-of-the-internal-api" },
  };
}

export async function startCallsPart(
  onStop: OnStop,
  platform: Platform,
  { httpsPort, tls, expiring }: CarrierEnvironment,
): Promise<CallsPart> {
  const { simulator, consul, db } = platform;
  const agent = await platform.startService("services/calls/agent/main.ts", "agent", {});
  const replicas = await Promise.all(
    ["calls-1", "calls-2"].map((name) =>
      platform.startService("services/calls/main.ts", name, {
        REDIS_URL: asRedisUser(`redis://${platform.redis.address}`, "calls"),
        TWILIO_API_URL: simulator.url,
        CALL_AGENT_URL: agent.url.replace("http", "ws"),
        STOP_GRACE_MS: "0",
      }),
    ),
  );
  // Frozen processes do not answer the signal that stops them.
  onStop(() => replicas.forEach(({ supervised }) => supervised.signal("SIGCONT")));
  const edge = await platform.startEdge({
    httpsPort,
    tls,
    ready: async (url) => {
      const options = { tls: { rejectUnauthorized: false }, keepalive: false };
      return (await fetch(`${url}/webhooks/twilio/voice`, options)).status !== 503;
    },
  });
  await registerService(consul.address, "prosaas-edge", httpsPort);
  const number = "+15551000000";
  await assignPhoneNumber(await createBusinessRow(db), number);

  type View = { streams: { marks: string[] }[] };
  return {
    replicas,
    edge: { httpsPort, tls, expiring, reload: () => signalChildren(edge.pid, "SIGHUP") },
    dial: async () => {
      const { data } = await simulator.ask<{ data: { sid: string }[] }>("POST", "/calls", {
        from: "+15550000001",
        to: number,
      });
      return data[0]!.sid;
    },
    hangUp: (sid) => simulator.ask("DELETE", `/calls/${sid}`),
    isHeard: async (sid) =>
      (await simulator.ask<View>("GET", `/calls/${sid}`)).streams.some(({ marks }) => marks.length > 0),
  };
}

/** consul-template runs nginx.sh, which reloads nginx. */
function signalChildren(parent: number, signal: NodeJS.Signals): void {
  const { stdout } = Bun.spawnSync(["ps", "--ppid", `${parent}`, "-o", "pid="]);
  for (const pid of stdout.toString().split("\n").filter(Boolean)) process.kill(Number(pid), signal);
}

/** Carries a call: the first replica with an open stream. */
export async function carrierOf(replicas: readonly Service[]): Promise<Service> {
  return until(
    async () => {
      for (const replica of replicas) {
        const text = await (await fetch(`${replica.opsUrl}/metrics`)).text();
        if (Number(/^prosaas_calls_streams\{.*\} (\d+)$/m.exec(text)?.[1]) > 0) return replica;
      }
      return undefined;
    },
    { what: "a replica that carries a call" },
  );
}
