import { numberUpTo, resultCommand, wholeNumber } from "../arguments.ts";
import { table } from "../operator/table.ts";
import { readMeasured, thisMachine } from "./measured.ts";
import type { Measured } from "./measured.ts";
import { partsFor, platformFor, use } from "./parts.ts";
import type { Part, Platform } from "./parts.ts";
import { ordered, shardsAsOrdered, sizeFor } from "./size.ts";
import type { Size } from "./size.ts";

const values = resultCommand(
  "capacity",
  `Calculate the machines that a load needs, and what breaks first.

Uses what one shard and one message were measured to cost, and prints the size of the original plan
beside it. Measure with bench:shard, bench:queues --only throughput and bench:cluster, each with
--keep.`,
  "-- --sessions N --messages-per-min N [OPTIONS]",
)
  .requiredOption("--sessions <n>", "WhatsApp sessions", wholeNumber())
  .requiredOption("--messages-per-min <n>", "messages a minute over all sessions", wholeNumber())
  .option("--utilisation <part>", "part of the measured capacity to plan with", numberUpTo(1), 0.5)
  .option("--shard-memory-mb <n>", "memory limit of a shard (memory.max of wa-shards)", wholeNumber(), 1536)
  .option("--node-cores <n>", "cores of a node", wholeNumber(), 16)
  .option("--node-memory-gb <n>", "memory of a node", wholeNumber(), 64)
  .option("--postgres-cores <n>", "cores of the largest Postgres server that you would use", wholeNumber(), 64)
  .parse()
  .opts();
const load = { sessions: values.sessions, messagesPerMin: values.messagesPerMin };
const limits = { utilisation: values.utilisation, shardMemoryMb: values.shardMemoryMb };
const machines = { ...values };

const commands = {
  shard: "task bench:shard -- --keep",
  path: "task bench:queues -- --only throughput --keep",
  cluster: "task bench:cluster -- --keep",
} satisfies Record<keyof Measured, string>;

const measured = await readMeasured();
const { shard, path, cluster } = measured;
if (shard === undefined || path === undefined || cluster === undefined) {
  const missing = (Object.keys(commands) as (keyof Measured)[]).filter((part) => measured[part] === undefined);
  const names = missing.map((part) => `\`${commands[part]}\``).join(", ");
  console.error(`Measurements are missing: run ${names} on a machine like those of the cluster.`);
  process.exit(1);
}
const size = sizeFor(load, shard, limits);
const platform = platformFor(load, size, { path, cluster }, machines);
const parts = partsFor(load, size, { shard, path, cluster }, machines);
const asOrdered = shardsAsOrdered(load);
const here = thisMachine();
const elsewhere = here.cpu !== shard.machine.cpu || here.cores !== shard.machine.cores;
const rounded = (value: number) => Number(value.toPrecision(3));

if (values.json) {
  console.log(
    JSON.stringify({
      ...load,
      ...size,
      shards_as_ordered: asOrdered,
      ...platformJson(platform),
      parts: parts.map((part) => ({ ...part, need: rounded(part.need), use: rounded(use(part)) })),
      breaks_first: parts[0]!.name,
      measured: { ...shard.machine, measured_at: shard.measured_at },
      elsewhere,
    }),
  );
} else {
  console.log(`${sizeText(size)}\n\n${platformText(platform)}\n\n${partsText(parts)}`);
  const { machine, measured_at, sessions, msgs_per_min, kb_per_session } = shard;
  console.log(`
The number of shards follows from the ${size.because}. A killed shard reopens its sessions in about \
${size.reopen_after_kill_s} s.
Measured ${measured_at.slice(0, 10)} on ${machine.cores} × ${machine.cpu}: \
${sessions} sessions a shard, ${msgs_per_min} messages/min, ${kb_per_session} KB a session.
Planned with ${limits.utilisation * 100} % of that. The original plan assumes ${ordered.sessionsPerShard} sessions and \
${ordered.messagesPerMinPerShard} messages/min a shard.`);
  if (elsewhere) console.log("Those figures come from another machine: measure again here with --keep.");
}

function sizeText(shards: Size): string {
  const perShard = (count: number) => [
    `${Math.ceil(load.sessions / count)}`,
    `${Math.ceil(load.messagesPerMin / count)}`,
  ];
  const memory = `${shards.shard_memory_mb} MB`;
  return table([
    ["", "shards", "sessions each", "messages/min each", "memory of the shards", "cores of the shards"],
    ["measured", `${shards.shards}`, ...perShard(shards.shards), memory, shards.shard_cores.toFixed(2)],
    ["the plan", `${asOrdered}`, ...perShard(asOrdered), "-", "-"],
  ]);
}

function platformJson({ apis, workers, nodes, dataNodes, cores, memoryGb, ...rates }: Platform) {
  return {
    apis,
    workers,
    nodes,
    data_nodes: dataNodes,
    cores: rounded(cores),
    memory_gb: rounded(memoryGb),
    wal_mb_per_s: rounded(rates.walMbPerS),
    table_gb_per_day: rounded(rates.tableGbPerDay),
    network_mbit_per_s: rounded(rates.networkMbitPerS),
    drain_minutes: rounded(rates.drainMinutes),
  };
}

function platformText(one: Platform): string {
  return table([
    ["nodes", `${one.nodes} of ${values.nodeCores} cores and ${values.nodeMemoryGb} GB, one of which may fail`],
    ["data nodes", `${one.dataNodes}: three servers of Consul and Nomad, Postgres and a replica, Redis`],
    ["processes", `${one.apis} API, ${one.workers} workers: ${rounded(one.cores)} cores with the shards`],
    ["Postgres", `${rounded(one.walMbPerS)} MB/s of write-ahead log, ${rounded(one.tableGbPerDay)} GB more a day`],
    ["drain of a node", `${rounded(one.drainMinutes)} minutes, with one worker of the group low`],
    ["network", `${rounded(one.networkMbitPerS)} Mbit/s between all processes`],
  ]);
}

function partsText(all: readonly Part[]): string {
  const rows = all.map((part) => [
    part.name,
    `${rounded(part.need)} of ${rounded(part.limit)} ${part.unit}`,
    `${Math.round(use(part) * 100)} %`,
    part.source,
  ]);
  const [first, ...others] = all;
  const remedies = [first!, ...others.filter((part) => use(part) > 1)].map(
    (part) =>
      `${part.name} ${use(part) > 1 ? "breaks before this load" : "breaks first as the load grows"}: ${part.remedy}.`,
  );
  return [table([["part", "needed", "use", "source"], ...rows]), "", ...remedies].join("\n");
}
