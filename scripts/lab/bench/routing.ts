import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul, kvPut } from "../../../lib/consul/client.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { createRouter, numShardsKey } from "../../../lib/routing/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { startServers } from "../../testing/servers.ts";
import { endOnSignals } from "../rig/child.ts";
import { DirectorySubscribers } from "../rig/directory_subscribers.ts";
import { LightShards } from "../rig/light_shards.ts";
import { timeDeaths } from "./routing/death.ts";
import { timeDnsLookup, timeHttpLookup, timeLocate } from "./routing/lookups.ts";

const values = labCommand(
  "bench:routing",
  `Measure how fast the router locates a business's shard.

Compares answers from memory with Consul queries by HTTP and DNS, and measures how soon the
directory drops a dead shard and how much memory 1,000 shards take. Starts a Consul server and stops
it.`,
)
  .parse()
  .opts();

const shards = 50;
const manyShards = 1_000;
const deaths = 10;

const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
endOnSignals();
const servers = await startServers();
const stop = new AbortController();
let fleet: LightShards | undefined;
try {
  const addr = servers.consul.addr;
  const consul = createConsul({ addr });
  fleet = await LightShards.start({ folder, consul, first: 1, last: shards });
  await kvPut(consul, numShardsKey, `${shards}`);
  const router = createRouter({ consul, numShards: 1, signal: stop.signal });
  await router.ready;
  await until(() => router.shards().length === shards && router.numShards === shards, {
    what: "the fleet in the directory",
  });

  const ids = Array.from({ length: 10_000 }, () => uuidv7());
  const stored = ids.map((id, k) => ({ id, whatsapp_shard: (k % shards) + 1 }));
  const unassigned = ids.map((id) => ({ id, whatsapp_shard: null }));
  const locate = timeLocate(router, stored);
  say(`locate, stored assignment      p50 ${locate.p50} ns  p99 ${locate.p99} ns`);
  const hash = timeLocate(router, unassigned);
  say(`locate, by hash                p50 ${hash.p50} ns  p99 ${hash.p99} ns`);
  const http = await timeHttpLookup(consul.url, unassigned, shards);
  say(`a question to Consul by HTTP   p50 ${http.p50} ns  p99 ${http.p99} ns`);
  const dns = await timeDnsLookup(servers.consul.dnsPort, unassigned, shards);
  say(`a question to Consul by DNS    p50 ${dns.p50} ns  p99 ${dns.p99} ns`);
  const took = await timeDeaths(folder, consul, router, deaths);
  say(`death of a shard until known   ${took.map((ms) => ms.toFixed(1)).join(", ")} ms`);

  for (let shard = shards + 1; shard <= manyShards; shard++) await fleet.register(shard);
  const subscribers = await DirectorySubscribers.start({ folder, consul: addr, processes: 1, shards: manyShards });
  const [bytes = 0] = subscribers.bytes;
  await subscribers.stop();
  say(`memory at ${manyShards} shards          ${(bytes / 2 ** 20).toFixed(2)} MB`);

  const result = {
    locate_ns_p50: locate.p50,
    locate_ns_p99: locate.p99,
    hash_ns_p99: hash.p99,
    consul_http_ns_p50: http.p50,
    dns_ns_p50: dns.p50,
    times_faster_than_http: Math.round(http.p50 / locate.p50),
    /** The slowest of several. */
    death_to_directory_ms: rounded(Math.max(...took), 1),
    mb_at_1000_shards: rounded(bytes / 2 ** 20),
  };
  await publish("bench:routing", values, result);
} finally {
  stop.abort();
  await fleet?.stop();
  await servers.stop();
  await rm(folder, { recursive: true, force: true });
}
