import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createConsul, kvPut } from "../../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../../lib/consul/client.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { numShardsKey, shardService } from "../../../../lib/routing/index.ts";
import { createBusinessRow } from "../../../../lib/testing/business.ts";
import { startNomadServer } from "../../../../lib/testing/nomad_server.ts";
import { until } from "../../../../lib/testing/until.ts";
import { startPrometheus } from "../../../testing/monitoring/prometheus_under_test.ts";
import type { Pace, PrometheusUnderTest } from "../../../testing/monitoring/prometheus_under_test.ts";
import { startTogether } from "../../rig/cleanup.ts";
import type { OnStop } from "../../rig/cleanup.ts";
import { makeBusinesses, pairAll } from "../../rig/pairing.ts";
import type { Business } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import { ShardProcess } from "../../rig/shard.ts";
import { carrierEnvironment, startCallsPart } from "./calls_part.ts";
import type { CallsPart } from "./calls_part.ts";
import { mountLoopDisk } from "./loop_disk.ts";
import type { LoopDisk } from "./loop_disk.ts";
import { enlist } from "./members.ts";
import type { Member } from "./members.ts";

/** The platform under Prometheus, with its job's files. */
export type Stage = {
  platform: Platform;
  consul: ConsulClient;
  prometheus: PrometheusUnderTest;
  /** Redis with all rights. */
  redis: ReturnType<typeof createRedis>;
  /** Workers by their group. */
  workers: Record<"high" | "default" | "low", Member>;
  /** Shard 1 has the customers with an even index, shard 2 the others. */
  shards: Member[];
  customers: Customer[];
  /** Shard 3, whose state is copied, with its one business. */
  copied: { shard: ShardProcess; business: Business };
  calls: CallsPart;
  disk: LoopDisk;
  /** While this file exists, Postgres cannot archive its log. */
  archiveRefusal: string;
  stop(): Promise<void>;
};

/** A part that no fault of a run needs is left out. */
export type Part = "sessions" | "copied" | "calls" | "disk" | "replica";

export type StageOptions = { folder: string; pace: Pace; parts: ReadonlySet<Part> };

/** Small servers, which a fault fills within a moment. */
export const redisMegabytes = 64;
export const maxWalMegabytes = 64;
export const maxConnections = 200;

/** Sessions are probed after ten minutes without traffic otherwise: a deaf one is noticed that late. */
const probeIdleMs = "10000";

const groups = ["high", "default", "low"] as const;

export const setStage = ({ folder, pace, parts }: StageOptions): Promise<Stage> =>
  startTogether(async (onStop) => {
    const carrier = await carrierEnvironment(folder);
    const archiveRefusal = join(folder, "archive.refusal");
    const platform = await startPlatform({
      folder,
      shards: 2,
      shard: { env: { PROBE_IDLE_MS: probeIdleMs } },
      workers: groups.map((group) => ({ group })),
      discovery: "consul",
      replica: parts.has("replica"),
      postgres: {
        max_wal_size: `${maxWalMegabytes}MB`,
        max_connections: String(maxConnections),
        archive_mode: "on",
        archive_command: `test ! -e ${archiveRefusal}`,
      },
      redis: { maxmemory: `${redisMegabytes}mb`, "maxmemory-policy": "noeviction" },
      simulator: carrier.simulator,
      env: { ...carrier.services, STORAGE_URL: `file://${join(folder, "store")}` },
    });
    onStop(() => platform.stop());
    // A frozen server would let services wait when they stop.
    onStop(() => [platform.consul, platform.redis].forEach((server) => server.signal("SIGCONT")));
    const consul = createConsul({ addr: platform.consul.address });
    const numShards = parts.has("copied") ? 3 : 2;
    await kvPut(consul, numShardsKey, String(numShards));
    const redis = createRedis(`redis://${platform.redis.address}`, "queue");
    onStop(() => redis.disconnect());

    const enlisted = (
      service: string,
      of: Pick<Parameters<typeof enlist>[0], "supervised" | "port" | "opsUrl" | "meta">,
    ) => enlist({ consul: platform.consul.address, service, ...of });
    const enlistShard = (shard: ShardProcess) =>
      enlisted(shardService, {
        supervised: shard,
        port: shard.port,
        opsUrl: `http://127.0.0.1:${shard.opsPort}`,
        meta: { shard_index: String(shard.location.shard - 1) },
      });
    const workers = Object.fromEntries(
      await Promise.all(
        groups.map(async (group, n) => {
          const { opsUrl } = platform.processes.find(({ name }) => name === `worker-${n + 1}-${group}`)!;
          const supervised = platform.workers[n]!;
          const member = await enlisted(`prosaas-worker-${group}`, {
            supervised,
            port: Number(new URL(opsUrl!).port),
            opsUrl: opsUrl!,
          });
          return [group, member] as const;
        }),
      ),
    ) as Stage["workers"];
    const shards = await Promise.all(platform.shards.map(enlistShard));
    const customers = parts.has("sessions") ? await platform.enroll(makeBusinesses(6, 2)) : [];

    const nomad = await startNomad(onStop, platform.consul.address);
    const stage = { platform, consul, redis, workers, shards, customers, archiveRefusal };
    const extra: Partial<Pick<Stage, Missing>> = {};
    if (parts.has("copied")) {
      extra.copied = await startCopied(onStop, platform, folder);
      await enlistShard(extra.copied.shard);
    }
    if (parts.has("calls")) extra.calls = await startCallsPart(onStop, platform, carrier);
    if (parts.has("disk")) {
      extra.disk = await mountLoopDisk(folder);
      onStop(() => extra.disk!.remove());
    }
    const prometheus = await startPrometheus({ consul: { addr: platform.consul.address, token: "" }, nomad }, pace);
    onStop(() => prometheus.stop());
    await until(async () => (await prometheus.rendered()).every(Boolean), { what: "the files of Prometheus" });
    prometheus.startTasks();
    return { ...stage, ...(extra as Pick<Stage, Missing>), prometheus };
  });

/** Parts without which some stages are set. */
type Missing = "copied" | "calls" | "disk";

/** Nomad's agent as server and client, which reports the disks of this machine. */
async function startNomad(onStop: OnStop, consul: string): Promise<string> {
  const nomad = await startNomadServer({
    consul: { address: consul },
    // A client without an address but loopback, and without a cloud around it.
    client: {
      enabled: true,
      network_interface: "lo",
      options: { "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean" },
    },
    telemetry: { prometheus_metrics: true, publish_node_metrics: true, disable_hostname: true },
  });
  onStop(() => nomad.stop());
  const path = "nomad/jobs/prometheus";
  const items = { metrics_token: crypto.randomUUID() };
  const body = JSON.stringify({ Path: path, Items: items });
  await until(async () => (await fetch(`${nomad.addr}/v1/var/${path}`, { method: "PUT", body })).ok, {
    what: "the token of metrics",
  });
  return nomad.addr;
}

async function startCopied(onStop: OnStop, platform: Platform, folder: string): Promise<Stage["copied"]> {
  const copies = join(folder, "copies");
  await mkdir(copies);
  const shard = await ShardProcess.create({
    folder,
    number: 3,
    simulator: platform.simulator,
    redis: platform.redis.address,
    consul: platform.consul.address,
    env: { WA_DURABILITY: "copied", DATABASE_URL_POOLER: platform.postgres.shardsUrl, STORAGE_URL: `file://${copies}` },
  });
  onStop(() => shard.stop());
  shard.start();
  await shard.ready();
  const business = { id: Bun.randomUUIDv7(), phone: "15530000000", contacts: ["15530000001"] };
  await createBusinessRow(platform.db, { id: business.id, shard: 3 });
  await pairAll(shard, platform.simulator, [business]);
  return { shard, business };
}
