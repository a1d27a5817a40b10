import { join } from "node:path";

/** An alert of nomad/monitoring/rules.yml. */
export type Alert = {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: { summary: string; runbook: string };
};

export const monitoringFolder = join(import.meta.dir, "../../../nomad/monitoring");

export async function readAlerts(): Promise<Alert[]> {
  const text = await Bun.file(join(monitoringFolder, "rules.yml")).text();
  const { groups } = Bun.YAML.parse(text) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** A fault as Prometheus sees it, from five to ten minutes after the start. */
export type Fault = {
  alert: string;
  name: string;
  /** Samples by series, one every 15 s, in promtool's notation. */
  series: Record<string, string>;
  /** Labels of the alert except its name and severity. */
  labels: Record<string, string>;
  /** Minutes after the start at which the alert no longer fires. */
  clearsAt: number;
};

const minutes = (count: number) => 4 * count - 1;

/** A value that changes with the fault and changes back. */
const gauge = (healthy: number, faulty: string) =>
  `${healthy}x${minutes(5)} ${faulty}x${minutes(5)} ${healthy}x${minutes(30)}`;
/** A count that grows once. */
const counter = `0x${minutes(5)} 1x${minutes(35)}`;

const shard = { job: "whatsapp-shard", node: "n1", shard: "2" };
const api = { job: "prosaas-api", node: "n1" };
const calls = { job: "prosaas-calls" };
const edge = { job: "prosaas-edge", instance: "edge:443", node: "n1" };

/** The name of a series with its labels. */
const named = (name: string, labels: Record<string, string>) =>
  `${name}{${Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(",")}}`;

const up = (job: string) => named("up", { job, instance: "a:1", node: "n1" });
const healthyTargets = Object.fromEntries(
  ["prosaas-api", "prosaas-calls", "whatsapp-shard", "prosaas-worker-high", "nomad-client"].map((job) => [
    up(job),
    `1x${minutes(40)}`,
  ]),
);

type Given = Omit<Fault, "name" | "labels" | "clearsAt"> & Partial<Fault>;
const fault = (given: Given): Fault => ({ name: "its fault", labels: {}, clearsAt: 12, ...given });

/** At least one for each alert. */
export const faults: Fault[] = [
  fault({
    alert: "ShardWithoutOwner",
    series: {
      [named("prosaas_routing_num_shards", api)]: `2x${minutes(40)}`,
      [named("prosaas_routing_known_shards", api)]: gauge(2, "1"),
    },
  }),
  fault({
    alert: "DeafSession",
    series: { [named("prosaas_whatsapp_deaf_connections_total", shard)]: counter },
    labels: shard,
    clearsAt: 16,
  }),
  fault({
    alert: "JournalGrowing",
    series: { [named("prosaas_whatsapp_journal_entries", { ...shard, stream: "inbound" })]: gauge(10, "1500+100") },
    labels: { ...shard, stream: "inbound" },
  }),
  fault({
    alert: "CopyTooOld",
    name: "a copy that lags",
    series: { [named("prosaas_whatsapp_copy_behind_seconds", shard)]: gauge(0, "16+15") },
    labels: shard,
  }),
  fault({
    alert: "CopyTooOld",
    name: "a copy without a snapshot",
    series: { [named("prosaas_whatsapp_copy_complete", shard)]: gauge(1, "0") },
    labels: shard,
  }),
  fault({
    alert: "ClientVersionRefused",
    series: { [named("prosaas_whatsapp_connections_ended_total", { ...shard, code: "405" })]: counter },
    labels: { ...shard, code: "405" },
    clearsAt: 21,
  }),
  fault({
    alert: "DeadLetters",
    series: { [named("prosaas_queue_depth", { queue: "high", state: "dead" })]: gauge(0, "3") },
    labels: { queue: "high" },
  }),
  ...Object.entries({ high: 40, receipts: 310, media: 1_810 }).map(([queue, seconds]) =>
    fault({
      alert: "OldestJob",
      name: `a job of queue ${queue}`,
      series: { [named("prosaas_queue_oldest_seconds", { queue })]: gauge(0, `${seconds}+15`) },
      labels: { queue },
    }),
  ),
  fault({
    alert: "AutoscalerStuck",
    name: "a load that is unknown",
    series: { [named("prosaas_autoscaler_undecided_seconds", { group: "api" })]: gauge(5, "61+15") },
    labels: { group: "api" },
  }),
  fault({
    alert: "AutoscalerStuck",
    name: "a count that cannot be set",
    series: { [named("prosaas_autoscaler_unapplied_seconds", { group: "calls" })]: gauge(5, "1201+15") },
    labels: { group: "calls" },
  }),
  ...["0", "stale _"].map((gone) =>
    fault({
      alert: "AutoscalerStuck",
      name: gone === "0" ? "two standbys" : "the loss of both",
      series: {
        [named("prosaas_autoscaler_active", { instance: "a:1" })]: gauge(1, gone),
        [named("prosaas_autoscaler_active", { instance: "b:1" })]: gauge(0, gone),
      },
    }),
  ),
  fault({
    alert: "CallCapacity",
    series: {
      [named("prosaas_calls_active", calls)]: gauge(20, "46"),
      [named("prosaas_calls_limit", calls)]: `50x${minutes(40)}`,
    },
  }),
  fault({ alert: "CallLimitLost", series: { [named("prosaas_calls_limit_lost", calls)]: gauge(0, "1") } }),
  fault({
    alert: "OrphanedCalls",
    series: { [named("prosaas_calls_orphaned_total", calls)]: counter },
    labels: calls,
    clearsAt: 16,
  }),
  fault({
    alert: "CallsWithoutRedis",
    series: { [named("prosaas_calls_redis_unavailable_total", calls)]: counter },
    labels: calls,
  }),
  fault({
    alert: "DirectoryStale",
    series: { [named("prosaas_routing_directory_age_seconds", api)]: gauge(60, "81+15") },
    labels: api,
  }),
  fault({ alert: "ReplicaLag", series: { [named("prosaas_database_replica_lag_seconds", api)]: gauge(1, "61+15") } }),
  fault({ alert: "WalHeld", series: { [named("prosaas_database_wal_held_ratio", api)]: gauge(0.1, "2.1") } }),
  fault({ alert: "WalArchiveFails", series: { [named("prosaas_database_archive_failing", api)]: gauge(0, "1") } }),
  fault({
    alert: "DatabaseConnections",
    series: { [named("prosaas_database_connections_ratio", api)]: gauge(0.4, "0.9") },
  }),
  fault({
    alert: "BackupTooOld",
    series: { [named("prosaas_backup_age_seconds", { job: "prosaas-worker-low" })]: gauge(3_600, "93700") },
  }),
  fault({
    alert: "EventStreamMemory",
    series: { [named("prosaas_redis_memory_fill_ratio", api)]: gauge(0.2, "0.56") },
  }),
  fault({
    alert: "CertificateExpiry",
    // The clock of these tests starts at 0.
    series: { [named("probe_ssl_earliest_cert_expiry", edge)]: gauge(90 * 86_400, "1209600") },
    labels: edge,
  }),
  ...["used", "inodes"].map((kind) =>
    fault({
      alert: "DiskFilling",
      name: `a disk without free ${kind === "used" ? "space" : "inodes"}`,
      series: { [named(`nomad_client_host_disk_${kind}_percent`, { disk: "/dev/sda1", node: "n1" })]: gauge(60, "90") },
      labels: { disk: "/dev/sda1", node: "n1" },
    }),
  ),
  fault({
    alert: "TargetDown",
    name: "a target that does not answer",
    series: { ...healthyTargets, [up("prosaas-api")]: gauge(1, "0") },
    labels: { job: "prosaas-api", instance: "a:1", node: "n1" },
  }),
  fault({
    alert: "TargetDown",
    name: "an edge that does not answer",
    series: { ...healthyTargets, [named("probe_success", { job: "prosaas-edge", instance: "b:443" })]: gauge(1, "0") },
    labels: { job: "prosaas-edge", instance: "b:443" },
  }),
  fault({
    alert: "TargetDown",
    name: "a service without a registration",
    series: { ...healthyTargets, [up("whatsapp-shard")]: gauge(1, "stale _") },
    labels: { job: "whatsapp-shard" },
  }),
];

/** States that are not a fault. */
export const calm: Pick<Fault, "alert" | "name" | "series">[] = [
  {
    alert: "JournalGrowing",
    name: "a long journal that is drained",
    series: { [named("prosaas_whatsapp_journal_entries", { ...shard, stream: "inbound" })]: `9000-50x${minutes(40)}` },
  },
  {
    alert: "DirectoryStale",
    name: "a blocking query without a change",
    series: { [named("prosaas_routing_directory_age_seconds", api)]: `_x${minutes(1)} 64x${minutes(39)}` },
  },
  {
    alert: "OldestJob",
    name: "media that wait for minutes",
    series: { [named("prosaas_queue_oldest_seconds", { queue: "media" })]: `900x${minutes(40)}` },
  },
  {
    alert: "ShardWithoutOwner",
    name: "a shard that restarts",
    series: {
      [named("prosaas_routing_num_shards", api)]: `2x${minutes(40)}`,
      [named("prosaas_routing_known_shards", api)]: `2x${minutes(5)} 1x2 2x${minutes(30)}`,
    },
  },
];
