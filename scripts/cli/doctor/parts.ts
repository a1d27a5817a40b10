import { kvGet } from "../../../lib/consul/client.ts";
import { faultsInCluster, registeredJobs } from "../../stack/settings/apply.ts";
import { maintenanceKey } from "../scale/maintenance_setting.ts";
import { judgeBackups } from "./checks/backups.ts";
import { judgeCopies } from "./checks/copies.ts";
import { judgeConnections, judgeIndexes, judgePostgres, judgeRedis, judgeReplica } from "./checks/data.ts";
import { judgeCertificate, judgeMaintenance, judgeReference } from "./checks/edge.ts";
import { judgeJobs } from "./checks/jobs.ts";
import { judgeNodes } from "./checks/nodes.ts";
import { judgeQueues } from "./checks/queues.ts";
import { judgeServers } from "./checks/servers.ts";
import { judgeServices } from "./checks/services.ts";
import { judgeJournals, judgeQuarantine, judgeSessions, judgeStops } from "./checks/sessions.ts";
import { judgeSettings } from "./checks/settings.ts";
import { judgeShards } from "./checks/shards.ts";
import { part } from "./examine.ts";
import type { Part } from "./examine.ts";
import type { Cluster } from "./read/cluster.ts";
import { readBackups } from "./read/backups.ts";
import { readConnections, readIndexes, readPostgres, readRedis, readReplica } from "./read/data.ts";
import { readAuthority, readCertificate, readReference } from "./read/edge.ts";
import { readCriticalChecks, readJobs } from "./read/jobs.ts";
import { readNodes } from "./read/nodes.ts";
import { readClosedSessions, readJournals, readQuarantine, readQueues, readStops } from "./read/platform.ts";
import { readConsulServers, readNomadServers } from "./read/servers.ts";
import { readCopies, readShards } from "./read/shards.ts";

const agents = 'Check the addresses and tokens ("Which cluster" in nomad/README.md).';
const api = "Check the edge, the API and the admin key: task status.";
const database = "Check Postgres, and set DATABASE_URL if it is managed or the token may not read secrets.";
const redis = "Check Redis, and set REDIS_URL if it is managed or the token may not read secrets.";

/** Everything that `task doctor` examines. */
export function partsOf(cluster: Cluster): Part[] {
  const { stack, nomad, consul } = cluster;
  const address = stack.base_url;
  return [
    part("Nomad's servers", agents, () => readNomadServers(nomad, stack.nomad_addr), judgeServers),
    part("Consul's servers", agents, () => readConsulServers(consul), judgeServers),
    part("nodes", agents, () => readNodes(nomad), judgeNodes),
    part("jobs", agents, () => readJobs(nomad, consul), judgeJobs),
    part("services", agents, () => readCriticalChecks(consul), judgeServices),
    part("settings", agents, async () => faultsInCluster(nomad, await registeredJobs(nomad)), judgeSettings),
    part("shards", agents, () => readShards(cluster), judgeShards),
    part("copies of shards", database, () => readCopies(cluster), judgeCopies),
    part("sessions", database, () => readClosedSessions(cluster), judgeSessions),
    part("sending stops", api, () => readStops(cluster), judgeStops),
    part("journals", api, () => readJournals(cluster), judgeJournals),
    part("quarantine", api, () => readQuarantine(cluster), judgeQuarantine),
    part("queues", api, () => readQueues(cluster), judgeQueues),
    part("Postgres", database, () => readPostgres(cluster), judgePostgres),
    part("replica", database, () => readReplica(cluster), judgeReplica),
    part("backups", database, () => readBackups(cluster), judgeBackups),
    part("indexes", database, () => readIndexes(cluster), judgeIndexes),
    part("connections", agents, () => readConnections(cluster), judgeConnections),
    part("Redis", redis, () => readRedis(cluster), judgeRedis),
    part(
      "certificate",
      agents,
      async () => readCertificate(address, await readAuthority(stack)),
      (certificate) => judgeCertificate(address, certificate, Date.now()),
    ),
    part("maintenance", agents, async () => (await kvGet(consul, maintenanceKey))?.value, judgeMaintenance),
    part(
      "API",
      agents,
      async () => readReference(address, await readAuthority(stack)),
      (answer) => judgeReference(address, answer),
    ),
  ];
}
