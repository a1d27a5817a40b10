import { defaultLimits } from "../../../lib/contracts/shard/pacing.ts";
import type { Measured, MeasuredCluster, MeasuredPath, MeasuredShard } from "./measured.ts";
import { maxShards } from "../../stack/shard_secrets.ts";
import type { Load, Size } from "./size.ts";

/** The machines of a cluster. */
export type Machines = {
  /** Part of each machine to plan with. */
  utilisation: number;
  nodeCores: number;
  nodeMemoryGb: number;
  /** Cores of the largest Postgres server that you would use. */
  postgresCores: number;
};

/** A part of the cluster with a limit, and how much of it a load needs. */
export type Part = {
  name: string;
  need: number;
  limit: number;
  unit: string;
  /** Source of `need` and `limit`. */
  source: string;
  /** The change to make before the limit is reached. */
  remedy: string;
};

/** Processes and nodes of a load, and what it writes. */
export type Platform = {
  apis: number;
  workers: number;
  /** Nodes for shards, API and workers, one of which may fail. */
  nodes: number;
  /** Nodes for Consul, Nomad, Postgres with a replica, and Redis. */
  dataNodes: number;
  cores: number;
  memoryGb: number;
  walMbPerS: number;
  tableGbPerDay: number;
  networkMbitPerS: number;
  /** Minutes in which all sessions of a node move to the others. */
  drainMinutes: number;
};

/** Three servers of Consul and Nomad, a Postgres primary, its replica, and Redis. */
const dataNodes = 6;
/** Memory of a replica of the API and of a worker, GB: `memory.max` of their job files. */
const processMemoryGb = 0.75;
/** The fewest replicas that survive the loss of one. */
const minReplicas = 2;
/** Ports of net.ipv4.ip_local_port_range for connections from one address to one other. */
const portsToOneAddress = 28_232;
/** A restarted shard leaves the directory and returns to it. */
const changesPerRestart = 2;
/** `min_healthy_time` of the shards' job file, s: shards restart one after the other. */
const healthyS = 10;
/** A node's network, MB/s: 10 Gbit/s. */
const nodeNetworkMbPerS = 1_250;

const msPerMinute = 60_000;
const up = (value: number, min = 1) => Math.max(min, Math.ceil(value - 1e-9));

/** Calculates processes and nodes. */
export function platformFor(
  { sessions, messagesPerMin }: Load,
  size: Size,
  { path, cluster }: Pick<Required<Measured>, "path" | "cluster">,
  machines: Machines,
): Platform {
  const coresOf = (ms: number) => (messagesPerMin * ms) / msPerMinute;
  const { api, worker, pgbouncer, nginx } = path.cpu_ms_per_msg;
  const apis = up(coresOf(api) / machines.utilisation, minReplicas);
  const workers = up(coresOf(worker) / machines.utilisation, Math.max(minReplicas, size.workers_high));
  const cores = size.shard_cores + coresOf(api + worker + pgbouncer + nginx);
  const memoryGb = size.shard_memory_mb / 1024 + (apis + workers) * processMemoryGb;
  const byCores = cores / (machines.nodeCores * machines.utilisation);
  const byMemory = memoryGb / (machines.nodeMemoryGb * machines.utilisation);
  const perSecond = messagesPerMin / 60;
  const nodesFor = up(Math.max(byCores, byMemory), minReplicas);
  return {
    apis,
    workers,
    nodes: nodesFor + 1,
    dataNodes,
    cores,
    memoryGb,
    walMbPerS: (perSecond * path.wal_kb_per_msg) / 1024,
    tableGbPerDay: (perSecond * path.table_kb_per_msg * 86_400) / 2 ** 20,
    networkMbitPerS: (perSecond * path.network_kb_per_msg * 8) / 1024,
    drainMinutes: sessions / nodesFor / cluster.moves_per_minute,
  };
}

/** Parts by their use, the one that breaks first in front. */
export function partsFor(
  load: Load,
  size: Size,
  { shard, path, cluster }: Required<Measured>,
  machines: Machines,
): Part[] {
  const platform = platformFor(load, size, { path, cluster }, machines);
  return [
    shards(size, shard),
    ...servers(load, path, machines, platform),
    accounts(load),
    ...nodes(load, size, { platform, cluster }),
  ].toSorted((a, b) => use(b) - use(a));
}

export const use = ({ need, limit }: Part): number => need / limit;

function shards({ shards: need, sessions_per_shard: each }: Size, { sessions }: MeasuredShard): Part {
  return {
    name: "number of shards",
    need,
    limit: maxShards,
    unit: "shards",
    source: `bench:shard with ${sessions} sessions; limit: nomad/platform/wa-shards.nomad.hcl`,
    remedy: `put more than ${each} sessions on a shard (measure them first), or begin a second cluster`,
  };
}

/** Servers that one process or one machine is, so that no count grows them. */
function servers({ messagesPerMin }: Load, path: MeasuredPath, machines: Machines, { nodes: count }: Platform): Part[] {
  const coresOf = (ms: number) => (messagesPerMin * ms) / msPerMinute;
  const { postgres, redis, pgbouncer } = path.cpu_ms_per_msg;
  const measured = "bench:queues, CPU time of a message";
  return [
    {
      name: "Postgres primary",
      need: coresOf(postgres),
      limit: machines.postgresCores * machines.utilisation,
      unit: "cores",
      source: `${measured}; limit: --postgres-cores at --utilisation`,
      remedy: "begin a second cluster for other businesses: no row or key of one refers to another's",
    },
    {
      name: "Redis",
      need: coresOf(redis),
      limit: machines.utilisation,
      unit: "cores",
      source: `${measured}; limit: Redis executes commands on one core`,
      remedy: "begin a second cluster for other businesses; queues hold only wake-ups, so a new Redis starts empty",
    },
    {
      name: "pgbouncer of a node",
      need: coresOf(pgbouncer) / Math.max(1, count - 1),
      limit: machines.utilisation,
      unit: "cores",
      source: `${measured}, spread over the nodes; limit: pgbouncer has one thread`,
      remedy: "add nodes: each has a pgbouncer of its own",
    },
  ];
}

function accounts({ sessions, messagesPerMin }: Load): Part {
  return {
    name: "pace of an account",
    need: messagesPerMin / sessions,
    limit: defaultLimits.messages_per_minute,
    unit: "messages a minute",
    source: "lib/contracts/shard/pacing.ts; WhatsApp publishes no limit",
    remedy:
      "raise the pace of accounts that WhatsApp tolerates (scale:pacing), or spread the messages over more accounts",
  };
}

function nodes(
  { sessions }: Load,
  size: Size,
  { platform, cluster }: { platform: Platform; cluster: MeasuredCluster },
): Part[] {
  const own = Math.max(1, platform.nodes - 1);
  const answerMb = ((cluster.directory_answer_kb / cluster.shards_registered) * size.shards) / 1024;
  const changesPerS = changesPerRestart / (healthyS + size.reopen_after_kill_s);
  return [
    {
      name: "ports of a node to one WhatsApp address",
      need: sessions / own,
      limit: portsToOneAddress,
      unit: "connections",
      source: "all sessions of a node through one address; limit: Linux' ip_local_port_range",
      remedy: "add nodes, or egress proxies (EGRESS_PROXIES)",
    },
    {
      name: "directory during a deploy of the shards",
      need: answerMb * (platform.apis + platform.workers) * changesPerS,
      limit: nodeNetworkMbPerS / 2,
      unit: "MB/s from Consul's servers",
      source: "bench:cluster, Consul's answer to each process at each change; limit: half of 10 Gbit/s",
      remedy: "add Consul servers: any server may answer",
    },
  ];
}
