import type { z } from "zod";
import { acmeEnv } from "../../../services/acme/config.ts";
import { apiEnv } from "../../../services/api/config.ts";
import { autoscalerEnv } from "../../../services/autoscaler/config.ts";
import { callAgentEnv } from "../../../services/calls/agent/config.ts";
import { callsEnv } from "../../../services/calls/config.ts";
import { indexerEnv } from "../../../services/indexer/config.ts";
import { migrateEnv } from "../../../services/migrate/config.ts";
import { simulatorEnv } from "../../../services/simulator/config.ts";
import { whatsappEnv } from "../../../services/whatsapp/config.ts";
import { workersEnv } from "../../../services/workers/config.ts";

/** The settings of the service that each job runs: its config.ts is the only list of them. */
const environments: Readonly<Record<string, z.ZodObject>> = {
  acme: acmeEnv,
  api: apiEnv,
  autoscaler: autoscalerEnv,
  "call-agent": callAgentEnv,
  calls: callsEnv,
  indexer: indexerEnv,
  migrate: migrateEnv,
  simulator: simulatorEnv,
  "wa-shards": whatsappEnv,
  workers: workersEnv,
};

export const serviceJobs = Object.keys(environments);

/** The schema of a job's environment; undefined for a job that runs none of our services. */
export const environmentOf = (job: string): z.ZodObject | undefined => environments[job];

/** Settings that no schema can name, or that Bun reads itself. */
const unlisted = /^(BAILEYS_SHARD_\d+_URL|NODE_EXTRA_CA_CERTS)$/;

/** Options of pgBackRest (nomad/tasks/pgbackrest.conf.ctmpl). */
const isOfBackups = (job: string, name: string): boolean => job === "postgres" && name.startsWith("PGBACKREST_");

/** True if the program that a job runs reads a setting. */
export const reads = (job: string, name: string): boolean =>
  unlisted.test(name) || isOfBackups(job, name) || (environments[job] !== undefined && name in environments[job].shape);

/** The setting that an item becomes (nomad/tasks/env.ctmpl), without a shard's number; null for other items. */
export function settingOf(item: string): string | null {
  return /^[A-Z]/.test(item) ? item.replace(/_\d+$/, "") : null;
}
