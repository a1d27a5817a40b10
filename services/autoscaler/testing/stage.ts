import { randomUUID } from "node:crypto";
import { createConsul, kvGet, kvPut } from "../../../lib/consul/client.ts";
import { operations } from "../../../lib/runtime/http.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { autoscalerLockKey, controlKey, parseHolder, parseJob, parseScaleStatus } from "../../../lib/scaling/index.ts";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import { programCommand, programEnv } from "../../../lib/testing/program.ts";
import { until } from "../../../lib/testing/until.ts";
import { createCaller } from "../../../scripts/cli/operator/http.ts";
import { ensureConsulAccess } from "../../../scripts/stack/access/consul.ts";
import { ensureNomadAccess } from "../../../scripts/stack/access/nomad.ts";

const metricsToken = "token-of-the-metrics";

/** Nomad and Consul with access control on, a registered job "calls", and replicas of it that report their load. */
export async function createStage() {
  await using started = new AsyncDisposableStack();
  const management = randomUUID();
  const agentToken = randomUUID();
  const consulServer = await startConsulServer({
    node_name: "test",
    acl: { enabled: true, default_policy: "deny", tokens: { initial_management: management, agent: agentToken } },
  });
  started.defer(() => consulServer.stop());
  const nomadServer = await startNomadServer({ acl: { enabled: true } });
  started.defer(() => nomadServer.stop());
  const consulApi = createCaller({ baseUrl: `http://${consulServer.addr}`, token: management });
  await until(() => consulApi("GET", "/v1/acl/tokens"), { what: "Consul's access control" });
  await ensureConsulAccess({
    consul: consulApi,
    agents: [{ node: "test", token: agentToken }],
    tokens: { nomadServer: randomUUID(), nomadClient: randomUUID() },
  });
  const consulToken = randomUUID();
  const grant = { SecretID: consulToken, Policies: [{ Name: "prosaas-autoscaler" }] };
  await consulApi("PUT", "/v1/acl/token", grant);
  const nomad = createCaller({ baseUrl: nomadServer.addr, token: management });
  const allowReset = () => Promise.reject(new Error("a reset was asked for"));
  await ensureNomadAccess({ nomad, token: management, allowReset });
  const policies = { Type: "client", Policies: ["prosaas-autoscaler"] };
  const { SecretID: nomadToken } = await nomad<{ SecretID: string }>("POST", "/v1/acl/token", policies);

  const consul = createConsul({ addr: consulServer.addr, token: management });
  const replicas: { streams: number }[] = [];
  const servers: Bun.Server<undefined>[] = [];
  started.defer(async () => void (await Promise.all(servers.map((server) => server.stop(true)))));
  /** Adds a replica of the job: its service in Consul, and its metrics. */
  const addReplica = async (): Promise<void> => {
    const replica = { streams: 0 };
    const metrics = createMetrics("prosaas-calls");
    metrics.gauge("calls_streams", "Media streams.", [], (gauge) => gauge.set(replica.streams));
    const logger = createLogger("replica", "error");
    const app = operations({ logger, metrics, metricsToken, ready: () => [] });
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
    servers.push(server);
    const port = server.port!;
    const meta = { ops_port: String(port) };
    await consul.api.agent.service.register({
      id: `calls-${port}`,
      name: "prosaas-calls",
      address: "127.0.0.1",
      port,
      meta,
    });
    replicas.push(replica);
  };
  await addReplica();
  await addReplica();

  const children = new Map<number, Bun.Subprocess>();
  const end = async (child: Bun.Subprocess) => {
    child.kill("SIGKILL");
    await child.exited;
    children.delete(child.pid);
  };
  started.defer(async () => void (await Promise.all([...children.values()].map(end))));

  const holder = async () => {
    const entry = await kvGet(consul, autoscalerLockKey);
    return entry?.session ? parseHolder(entry.value) : null;
  };

  const stage = {
    consul,
    nomad,
    nomadAddr: nomadServer.addr,
    nomadToken,
    autoscalerConsul: createConsul({ addr: consulServer.addr, token: consulToken }),
    addReplica,
    /** Media streams of each replica. */
    load: (streams: number) => replicas.forEach((replica) => (replica.streams = streams)),
    /** Starts an autoscaler as its job does, but faster. */
    start: (): Bun.Subprocess => {
      const child = Bun.spawn(programCommand("services/autoscaler/main.ts"), {
        env: {
          ...programEnv(),
          CONSUL_HTTP_ADDR: consulServer.addr,
          CONSUL_HTTP_TOKEN: consulToken,
          NOMAD_ADDR: nomadServer.addr,
          NOMAD_TOKEN: nomadToken,
          NOMAD_ALLOC_ID: randomUUID(),
          METRICS_TOKEN: metricsToken,
          AUTOSCALER_INTERVAL_MS: "100",
        },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      });
      children.set(child.pid, child);
      return child;
    },
    end,
    /** The process that is active. */
    active: () =>
      until(
        async () => {
          const found = await holder();
          return found === null ? undefined : children.get(found.pid);
        },
        { what: "an active autoscaler" },
      ),
    holder,
    /** A metric of the active autoscaler. */
    metric: async (name: string): Promise<number | undefined> => {
      const url = `${(await holder())?.url}/metrics?name[]=${name}`;
      const text = await (await fetch(url, { headers: { authorization: `Bearer ${metricsToken}` } })).text();
      const line = text.split("\n").find((one) => one.startsWith(name));
      return line === undefined ? undefined : Number(line.split(" ").at(-1));
    },
    /** Registers the job without the events of an earlier one. */
    register: async (Count: number): Promise<void> => {
      await nomad("DELETE", "/v1/job/calls?purge=true").catch(() => {});
      await nomad("POST", "/v1/jobs", { Job: jobOf(Count) });
    },
    job: async () => parseJob(await nomad("GET", "/v1/job/calls")),
    count: async () => (await stage.job()).groups[0]!.count,
    events: async () => parseScaleStatus(await nomad("GET", "/v1/job/calls/scale")).get("calls")!.events,
    /** Sets the count as a command does. */
    scale: (Count: number, more: object = {}) =>
      nomad("POST", "/v1/job/calls/scale", { Target: { Group: "calls" }, Count, ...more }),
    control: async (text: string) => void (await kvPut(consul, controlKey, text)),
    close: () => running.disposeAsync(),
  };
  const running = started.move();
  return stage;
}

export type Stage = Awaited<ReturnType<typeof createStage>>;

/** No deployments, in which Nomad refuses to scale: without clients none would end. */
const jobOf = (Count: number) => ({
  ID: "calls",
  Name: "calls",
  Type: "service",
  Datacenters: ["*"],
  Update: { MaxParallel: 0 },
  TaskGroups: [
    {
      Name: "calls",
      Count,
      Services: [{ Name: "prosaas-calls", Provider: "consul" }],
      Scaling: { Enabled: true, Min: 1, Max: 6, Policy: { streams: 10, keep: 2, cooldown: "250ms", calm: "500ms" } },
      Tasks: [{ Name: "calls", Driver: "exec", Config: { command: "true" } }],
    },
  ],
});
