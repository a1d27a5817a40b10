import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createConsul } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { trustedCertificate } from "../../../lib/testing/certificate.ts";
import { startConsulServer } from "../../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../../lib/testing/consul_server.ts";
import { startNomadServer } from "../../../lib/testing/nomad_server.ts";
import type { NomadServer } from "../../../lib/testing/nomad_server.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, processScenario } from "../../../services/whatsapp/testing/shard_process.ts";
import type { ShardProcess } from "../../../services/whatsapp/testing/shard_process.ts";
import { root } from "../../stack/environment.ts";
import { startPrometheus } from "./prometheus_under_test.ts";
import type { PrometheusUnderTest } from "./prometheus_under_test.ts";

/* The job's own files and arguments, against a Consul with access control, a Nomad agent, an edge and a shard. */
const management = crypto.randomUUID();
const metricsToken = crypto.randomUUID();
const scenario = processScenario();
let server: ConsulServer;
let consul: ConsulClient;
let nomad: NomadServer;
let edge: Bun.Server<undefined>;
let prometheus: PrometheusUnderTest;

type Target = { labels: Record<string, string>; health: string };
type Alert = { labels: Record<string, string>; annotations: Record<string, string>; state: string };

const put = async <T>(url: string, body: unknown): Promise<T> => {
  const headers = { "x-consul-token": management };
  const response = await fetch(url, { method: "PUT", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return (await response.json()) as T;
};

/** A token under consul/policies/prometheus.hcl. */
async function tokenOfPrometheus(): Promise<string> {
  const Rules = await Bun.file(join(root, "consul/policies/prometheus.hcl")).text();
  const { ID } = await put<{ ID: string }>(`http://${server.addr}/v1/acl/policy`, { Name: "prometheus", Rules });
  const token = await put<{ SecretID: string }>(`http://${server.addr}/v1/acl/token`, { Policies: [{ ID }] });
  return token.SecretID;
}

beforeAll(async () => {
  server = await startConsulServer({
    acl: { enabled: true, default_policy: "deny", tokens: { initial_management: management, agent: management } },
  });
  consul = createConsul({ addr: server.addr, token: management });
  edge = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: trustedCertificate(), fetch: () => new Response() });
  nomad = await startNomadServer({
    consul: { address: server.addr, token: management },
    telemetry: { prometheus_metrics: true, disable_hostname: true },
  });
  const variable = { Path: "nomad/jobs/prometheus", Items: { metrics_token: metricsToken } };
  await put(`${nomad.addr}/v1/var/nomad/jobs/prometheus`, variable);
  await until(() => register("prosaas-edge", edge.port!, {}), { what: "Consul with its access control" });
  prometheus = await startPrometheus({
    consul: { addr: server.addr, token: await tokenOfPrometheus() },
    nomad: nomad.addr,
  });
  await until(async () => (await prometheus.rendered()).every(Boolean), { what: "the files of Prometheus" });
  prometheus.startTasks();
});

afterAll(async () => {
  await prometheus?.stop();
  await Promise.all([edge?.stop(true), nomad?.stop(), server?.stop()]);
});

/** Registers a service as Nomad does. */
const register = async (name: string, port: number, meta: Record<string, string>) => {
  await consul.api.agent.service.register({ id: name, name, address: "127.0.0.1", port, meta });
  return true;
};

async function startShard(): Promise<ShardProcess> {
  const shard = scenario.launch({
    METRICS_TOKEN: metricsToken,
    CONSUL_HTTP_ADDR: server.addr,
    CONSUL_HTTP_TOKEN: management,
  });
  const opsPort = await until(() => /"ops_port":(\d+)/.exec(shard.log())?.[1], { what: "the shard's port" });
  await register("whatsapp-shard", 1, { ops_port: opsPort, shard_index: String(scenario.index) });
  return shard;
}

const healthOf = async (job: string) => {
  const { activeTargets } = await prometheus.get<{ activeTargets: Target[] }>("targets?state=active");
  return activeTargets.filter(({ labels }) => labels["job"] === job).map(({ labels, health }) => ({ labels, health }));
};
const isUp = async (job: string) => (await healthOf(job)).some(({ health }) => health === "up");

const firing = async (alertname: string, labels: Record<string, string>) => {
  const { alerts } = await prometheus.get<{ alerts: Alert[] }>("alerts");
  return alerts.find(({ labels: own, state }) => state === "firing" && Bun.deepMatch({ alertname, ...labels }, own));
};

describe("Prometheus", () => {
  test("scrapes a shard, and reports its death", async () => {
    const shard = await startShard();
    await until(() => isUp("whatsapp-shard"), { what: "the shard as a target" });
    const number = String(scenario.index + 1);
    expect((await healthOf("whatsapp-shard"))[0]!.labels).toMatchObject({ shard: number, node: expect.any(String) });
    const sessions = `query?query=${encodeURIComponent(`prosaas_whatsapp_sessions{shard="${number}"}`)}`;
    expect((await prometheus.get<{ result: unknown[] }>(sessions)).result.length).toBeGreaterThan(0);
    expect(await firing("TargetDown", { shard: number })).toBeUndefined();

    await kill(shard);
    const alert = await until(() => firing("TargetDown", { shard: number }), { what: "the alert" });
    expect(alert.annotations["summary"]).toStartWith("whatsapp-shard 127.0.0.1:");

    await startShard();
    await until(async () => (await firing("TargetDown", { shard: number })) === undefined, { what: "its end" });
  });

  test("scrapes Nomad's agents", async () => {
    await until(() => isUp("nomad"), { what: "the agent as a target" });
  });

  test("reports a certificate that expires", async () => {
    await until(() => isUp("prosaas-edge"), { what: "the edge as a target" });
    // The tests' certificate is valid for a day.
    const instance = `127.0.0.1:${edge.port}`;
    const alert = await until(() => firing("CertificateExpiry", { instance }), { what: "the alert" });
    expect(alert.annotations["summary"]).toMatch(/expires in (23h|1d)/);
  });
});
