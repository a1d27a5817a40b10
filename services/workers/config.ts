import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { profiles } from "../../lib/queues/index.ts";
import { zQuota } from "../../lib/quotas/index.ts";
import { routingEnv, shardOverrides } from "../../lib/routing/index.ts";
import {
  baseEnv,
  consulEnv,
  databaseEnv,
  loadConfig,
  redisEnv,
  zBool,
  zInt,
  zKeyRing,
  zUrl,
} from "../../lib/runtime/config.ts";
import { storageEnv } from "../../lib/storage/index.ts";

export const workersEnv = z.object({
  ...baseEnv,
  ...consulEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  ...routingEnv,
  /** Which queues this process serves. */
  WORKER_GROUP: z.enum(profiles),
  /** Root of the tokens of the shards' internal API. */
  SHARD_TOKEN: z.string().min(16),
  /** Seals what is secret in the database; the same in every service that reads it. */
  DATA_KEYS: zKeyRing,
  /** For development: webhooks may be delivered over http and into private networks. */
  WEBHOOKS_ALLOW_PRIVATE: zBool.default(false),
  /** What an endpoint has for its answer. Below the time a job may take and the grace of a stop. */
  WEBHOOK_TIMEOUT_MS: zInt(100, 30_000).default(10_000),
  ...storageEnv,
  /** Bytes of stored media of one business, beyond which received files are not fetched; the API has the same. */
  MEDIA_QUOTA_BYTES: zQuota("mediaBytes"),
  /** WhatsApp's media host, with its port where that is another than 443. */
  WA_MEDIA_HOST: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?$/i, "must be a host, or host:port")
    .default("mmg.whatsapp.net"),
  /** Where callers reach the API: it begins the addresses of files in events. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
  /** Days for which files are kept after a message last came with them; for ever where it is not set. */
  MEDIA_RETENTION_DAYS: zInt(1, 36_500).optional(),
  /** Days for which files are kept that no message ever came with. */
  MEDIA_ORPHAN_DAYS: zInt(1, 365).default(7),
  /** The carrier's account, for fetching recordings of calls. */
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/, "must be an account's sid")
    .optional(),
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  TWILIO_API_URL: zUrl("http", "https").default("https://api.twilio.com"),
  /** Whole months for which messages are kept, at least 3; for ever where it is not set. */
  MESSAGE_RETENTION_MONTHS: zInt(3, 1_200).optional(),
  /** Days after which what is left of a deleted business is removed for good. */
  DELETED_BUSINESS_RETENTION_DAYS: zInt(0, 3_650).default(30),
  /** Days for which settled deliveries of webhooks are kept: how long they can be looked at and replayed. */
  DELIVERY_RETENTION_DAYS: zInt(1, 365).default(30),
  /** Connections to the pooler; a job holds one for a statement at a time, so a few serve many jobs. */
  DATABASE_POOL_SIZE: zInt(1, 100).default(8),
  /** How long jobs under way may go on once the process was told to stop. Below the job file's kill_timeout. */
  STOP_GRACE_MS: zInt(0, 600_000).default(20_000),
});

/** The configuration of a worker process; ends it with every fault named where there is one. */
export function loadWorkersConfig(env: Record<string, string | undefined> = process.env) {
  const { overrides, faults } = shardOverrides(env);
  return { ...loadConfig(workersEnv, env, faults), overrides, supervised: isSupervised(env) };
}
