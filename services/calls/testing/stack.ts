import { randomBytes } from "node:crypto";
import { Hono } from "hono";
import { callLimitKey } from "../../../lib/calls/limit.ts";
import { createConsul, kvPut } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { assignPhoneNumber, putCallSettings } from "../../../lib/db/index.ts";
import type { BusinessScope, CallSettingsInput } from "../../../lib/db/index.ts";
import { createCallCapacity } from "../../../lib/calls/capacity.ts";
import { createRedis } from "../../../lib/redis/client.ts";
import { parseConfig } from "../../../lib/runtime/config.ts";
import { createLifecycle } from "../../../lib/runtime/lifecycle.ts";
import type { LifecycleController } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { notFound, problemHandler } from "../../../lib/runtime/problem.ts";
import { createBusiness } from "../../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import { openFrontDoor } from "../../../lib/testing/front_door.ts";
import { testConsulAddr, testRedisUrl } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { Carrier, carrierControl, carrierRest } from "../../simulator/carrier/index.ts";
import { serveAgent } from "../agent/agent.ts";
import { callsEnv } from "../config.ts";
import { startCalls } from "../service.ts";
import type { CallPatience, CallsService } from "../service.ts";
import { createCallStore } from "../state/store.ts";
import { startProcess } from "./process.ts";
import type { ProcessOptions, ServiceProcess } from "./process.ts";

export const authToken = "the-account-token-of-the-tests";
export const callsToken = "the-token-of-the-internal-api";

export type Replica = CallsService & { life: LifecycleController; port: number; url: string; opsUrl: string };

export type StackOptions = {
  replicas?: number;
  env?: Record<string, string>;
  transferTo?: string;
  /** URL of an existing agent. */
  agentUrl?: string;
  /** A Redis of the test's own, which it may stop. */
  redisUrl?: string;
  /** Timeouts of the replicas in this process. */
  patience?: CallPatience;
};

/** As with Consul, a replica gets no requests before its first check passes. */
const ready = (url: string) => until(async () => (await fetch(`${url}/ready`)).ok, { what: `${url} to be ready` });

/** A number with digits of its own. */
export const someNumber = () => `+1555${String(randomBytes(4).readUInt32BE() % 10_000_000).padStart(7, "0")}`;

/** Replicas of the service behind a proxy, with a database, an agent and a simulated carrier. */
export async function startStack({
  replicas: count = 1,
  env = {},
  transferTo,
  agentUrl,
  redisUrl,
  patience = { redisMs: 10_000, databaseMs: 10_000 },
}: StackOptions = {}) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger("test", "info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const redis = createRedis(redisUrl ?? testRedisUrl(), "queue");
  await redis.flushdb();
  const consul: ConsulClient = createConsul({ addr: testConsulAddr() });
  await consul.api.kv.del(callLimitKey);
  const database = await createMigratedDatabase();
  const door = await openFrontDoor();
  const databaseUrl = new URL(database.appUrl);
  const databasePort = Number(databaseUrl.port);
  const databaseDoor = await openFrontDoor();
  databaseDoor.lead([databasePort]);
  databaseUrl.port = String(databaseDoor.port);
  const backstage = createLifecycle("backstage");
  const agent = serveAgent({ host: "127.0.0.1", port: 0, transferTo: transferTo ?? null, life: backstage, logger });

  const carrier: Carrier = new Carrier({
    authToken,
    publicUrl: door.url,
    baseUrl: () => `http://127.0.0.1:${carrierServer.port}`,
    msPerCharacter: 1,
  });
  const app = new Hono();
  app.onError(problemHandler(logger));
  app.notFound(notFound);
  app.route("/", carrierControl(carrier)).route("/", carrierRest(carrier));
  const carrierServer = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
  const carrierUrl = `http://127.0.0.1:${carrierServer.port}`;

  const environment: Record<string, string> = {
    HOST: "127.0.0.1",
    REDIS_URL: redisUrl ?? testRedisUrl("calls"),
    DATABASE_URL_POOLER: databaseUrl.toString(),
    CONSUL_HTTP_ADDR: testConsulAddr(),
    PUBLIC_URL: door.url,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_ACCOUNT_SID: carrier.accountSid,
    TWILIO_API_URL: carrierUrl,
    CALL_AGENT_URL: agentUrl ?? agent.url,
    CALLS_TOKEN: callsToken,
    CALL_RECOVERY_MS: "0",
    STOP_GRACE_MS: "0",
    ...env,
  };
  const replicas: Replica[] = [];
  const addReplica = async (more: Record<string, string> = {}): Promise<Replica> => {
    const life = createLifecycle("calls", (label, error) => logger.error({ label, error }, "could not be closed"));
    const parsed = parseConfig(callsEnv, { ...environment, ...more });
    if ("faults" in parsed) throw new Error(JSON.stringify(parsed.faults));
    const service = await startCalls({ config: parsed.config, life, logger, consul, name: "prosaas-calls", patience });
    const { port, url } = service.served;
    const replica = { ...service, life, port, url, opsUrl: service.operational.url };
    await ready(replica.opsUrl);
    replicas.push(replica);
    leadToAll();
    return replica;
  };
  let turn = 0;
  const processes: ServiceProcess[] = [];
  const leadToAll = () => door.lead([...replicas, ...processes].map((each) => each.port));
  for (let i = 0; i < count; i++) await addReplica();

  return {
    carrier,
    carrierUrl,
    agent,
    database,
    redis,
    door,
    /** Internal API of the replicas, round-robin. */
    internalUrl: () => {
      const all = [...replicas, ...processes];
      return all[turn++ % all.length]!.opsUrl;
    },
    environment,
    lines,
    replicas,
    addReplica,
    store: createCallStore({ redis }),
    capacity: createCallCapacity({ redis, leaseMs: 60_000, recoveryMs: 0 }),
    /** A business with a number of its own. */
    business: async (settings?: Partial<CallSettingsInput>): Promise<{ scope: BusinessScope; number: string }> => {
      const scope = await createBusiness(database.db, { paired: false });
      const number = someNumber();
      await assignPhoneNumber(scope, number);
      if (settings) await putCallSettings(scope, { record: false, consent_line: null, ...settings });
      return { scope, number };
    },
    /** Cuts the replicas off from Postgres, or lets them reach it again. */
    reachDatabase: (reachable: boolean) => {
      databaseDoor.lead(reachable ? [databasePort] : []);
      if (!reachable) databaseDoor.drop();
    },
    setLimit: (limit: number) => kvPut(consul, callLimitKey, String(limit)),
    processes,
    /** A replica in a process of its own. */
    addProcess: async (
      more: Record<string, string> = {},
      how: Pick<ProcessOptions, "preload" | "under"> = {},
    ): Promise<ServiceProcess> => {
      const replica = await startProcess({
        main: "services/calls/main.ts",
        env: { ...environment, PORT: "0", ...more },
        ...how,
      });
      await ready(replica.opsUrl);
      processes.push(replica);
      leadToAll();
      return replica;
    },
    /** Signals a replica's process. The door bypasses it at once on SIGTERM, and after the exit on SIGKILL. */
    endProcess: async (replica: ServiceProcess, signal: "SIGTERM" | "SIGKILL"): Promise<number> => {
      processes.splice(processes.indexOf(replica), 1);
      if (signal === "SIGTERM") leadToAll();
      replica.kill(signal);
      const code = await replica.exited;
      leadToAll();
      return code;
    },
    /** Stops a replica as SIGTERM does; the door bypasses it at once, as Consul does. */
    stopReplica: async (replica: Replica) => {
      replicas.splice(replicas.indexOf(replica), 1);
      leadToAll();
      return replica.life.stop();
    },
    close: async () => {
      await carrier.stop();
      await Promise.all(replicas.map((replica) => replica.life.stop()));
      for (const replica of processes) replica.kill("SIGTERM");
      await Promise.all(processes.map((replica) => replica.exited));
      await backstage.stop();
      await carrierServer.stop(true);
      await door.close();
      await databaseDoor.close();
      await consul.api.kv.del(callLimitKey);
      await database.close();
      redis.disconnect();
    },
  };
}

export type Stack = Awaited<ReturnType<typeof startStack>>;
