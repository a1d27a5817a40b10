import { bodyOf } from "../../../lib/api-client/index.ts";
import { hashShard, shardService } from "../../../lib/routing/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { adminApi } from "../../cli/operator/admin_api.ts";
import { simulatorApi } from "../../cli/operator/simulator.ts";
import { readStack } from "../../cli/operator/stack.ts";
import { eachOf } from "../rig/pairing.ts";
import { connectConsul } from "../../stack/consul.ts";
import { createNomad } from "../../stack/nomad.ts";

const values = labCommand(
  "bench:reopen",
  `Measure how long a killed shard takes to reopen its sessions under Nomad.

Acts on the running stack: pairs simulated phones with businesses of shard 1, kills the shard with
SIGKILL and waits until all its sessions are open. Deletes the businesses afterwards.`,
)
  .option("--sessions <n>", "businesses on shard 1", wholeNumber(), 50)
  .option("--kills <n>", "kills, one after the other", wholeNumber(), 3)
  .parse()
  .opts();

const stack = await readStack();
const simulator = await simulatorApi(stack);
const api = await adminApi(stack, { timeoutMs: 30_000 });
const nomad = createNomad(stack.nomad_addr);
const shards = async () => (await bodyOf(api.GET("/v1/admin/shards"))).data;
const first = async () => (await shards()).find(({ shard }) => shard === 1)!;
const logins = async () => (await simulator<{ logins: number }>("GET", "/stats")).logins;

/** The metrics URL of the shard at an address. Its port stays the same when Nomad restarts the task. */
async function metricsUrl(address: string): Promise<string> {
  type Entry = { ServicePort: number; ServiceMeta: { ops_port: string } };
  const consul = connectConsul(stack.consul_http_addr);
  const entries = (await consul.blockingGet(`/v1/catalog/service/${shardService}`, { index: 0 })).body as Entry[];
  const { hostname, port } = new URL(address);
  const entry = entries.find(({ ServicePort }) => ServicePort === Number(port));
  if (!entry) throw new Error(`Consul lists no shard at ${address}`);
  return `http://${hostname}:${entry.ServiceMeta.ops_port}/metrics`;
}

/** Open sessions by the shard's own metrics, which answer before Consul lists the shard again. */
async function openOn(url: string): Promise<number> {
  const metrics = await (await fetch(url, { keepalive: false })).text();
  return Number(/^\w*whatsapp_sessions\{[^}]*status="open"[^}]*\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

const businesses: string[] = [];
try {
  const numShards = (await shards()).length;
  const wanted = values.sessions;
  const others: string[] = [];
  while (businesses.length < wanted) {
    const { id } = await bodyOf(api.POST("/v1/businesses", { body: { name: "bench:reopen" } }));
    (hashShard(id, numShards) === 1 ? businesses : others).push(id);
  }
  await eachOf(others, 8, remove);
  const run = String(Date.now() % 1e8).padStart(8, "0");
  await eachOf(businesses, 8, (id, n) => pair(id, `9990${run}${String(n).padStart(3, "0")}`));
  const { sessions_open: open } = await first();
  say(`${businesses.length} businesses are paired; ${open} sessions are open on shard 1`);

  const seconds: number[] = [];
  for (let kill = 0; kill < values.kills; kill++) {
    seconds.push(await killed(open ?? 0));
    say(`killed: all open again after ${seconds.at(-1)!.toFixed(2)} s`);
  }
  const result = {
    sessions: open,
    reopen_after_kill_s: seconds.map((s) => rounded(s)),
    worst_s: rounded(Math.max(...seconds)),
  };
  await publish("bench:reopen", values, result);
} finally {
  await eachOf(businesses, 8, remove);
}

async function pair(business_id: string, phone: string): Promise<void> {
  const params = { path: { business_id } };
  await simulator("POST", "/phones", { phone });
  await api.POST("/v1/businesses/{business_id}/whatsapp/connect", { params, body: { method: "qr" } });
  const view = () => bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params }));
  const qr = await until(async () => (await view()).qr, { what: "a QR code", deadlineMs: 60_000, everyMs: 100 });
  await simulator("POST", `/phones/${phone}/scan`, { qr });
  await until(async () => (await view()).status === "open", {
    what: "a session to open",
    deadlineMs: 60_000,
    everyMs: 100,
  });
}

/** Retries, because the API may not have found the shard again yet. */
async function remove(business_id: string): Promise<void> {
  const params = { path: { business_id } };
  await until(() => api.DELETE("/v1/businesses/{business_id}", { params }), {
    what: "a business to be removed",
    everyMs: 200,
  });
}

/** Kills shard 1; returns the seconds until every session has logged in again and is open. */
async function killed(sessions: number): Promise<number> {
  const allocations = await nomad<{ ID: string; Name: string; ClientStatus: string }[]>(
    "GET",
    "/v1/job/wa-shards/allocations",
  );
  const { ID } = allocations.find(({ Name, ClientStatus }) => Name.endsWith("[0]") && ClientStatus === "running")!;
  const url = await metricsUrl(await until(async () => (await first()).address, { what: "the address of shard 1" }));
  const before = await logins();
  const began = performance.now();
  await nomad("POST", `/v1/client/allocation/${ID}/signal`, { Signal: "SIGKILL", Task: "shard" });
  const reopened = async () => (await logins()) >= before + sessions && (await openOn(url)) === sessions;
  await until(reopened, { what: "all sessions to be open again", deadlineMs: 60_000, everyMs: 40 });
  return (performance.now() - began) / 1000;
}
