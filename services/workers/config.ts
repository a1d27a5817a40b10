import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { noProxies, zProxies } from "../../lib/egress/index.ts";
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
import { tracingEnv } from "../../lib/runtime/tracing.ts";
import { storageEnv } from "../../lib/storage/index.ts";

export const workersEnv = z.object({
  ...baseEnv,
  ...tracingEnv,
  ...consulEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  ...routingEnv,
  /** Queues that this process serves. */
  WORKER_GROUP: z.enum(profiles),
  /** Root from which the token of each shard's internal API is derived. */
  SHARD_TOKEN: z.string().min(16),
  /** Encrypt secrets in the database; the same in every service that reads them. */
  DATA_KEYS: zKeyRing,
  /** Development only: allows webhook endpoints over http and in private networks. */
  WEBHOOKS_ALLOW_PRIVATE: zBool.default(false),
  /** Timeout of a webhook request. Below the queue's job timeout and STOP_GRACE_MS. */
  WEBHOOK_TIMEOUT_MS: zInt(100, 30_000).default(10_000),
  ...storageEnv,
  /** Media quota of a business in bytes: received files beyond it are not fetched. The API has the same setting. */
  MEDIA_QUOTA_BYTES: zQuota("mediaBytes"),
  /** Operator's egress proxies of shards and businesses, as shards have them: files go through them. */
  EGRESS_PROXIES: zProxies.default(noProxies),
  /** WhatsApp's media host, with a port unless it is 443. */
  WA_MEDIA_HOST: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?$/i, "must be a host, or host:port")
    .default("mmg.whatsapp.net"),
  /** Public URL of the API, the base of file URLs in events. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
  /** Days a file is kept after the last message with it; unset: no limit. */
  MEDIA_RETENTION_DAYS: zInt(1, 36_500).optional(),
  /** Days a file without any message is kept. */
  MEDIA_ORPHAN_DAYS: zInt(1, 365).default(7),
  /** Carrier account that owns the call recordings. */
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/, "must be an account's sid")
    .optional(),
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  TWILIO_API_URL: zUrl("http", "https").default("https://api.twilio.com"),
  /** Whole months messages are kept, at least 3; unset: no limit. */
  MESSAGE_RETENTION_MONTHS: zInt(3, 1_200).optional(),
  /** Days after which the rows and files of a deleted business are purged. */
  DELETED_BUSINESS_RETENTION_DAYS: zInt(0, 3_650).default(30),
  /** Days settled webhook deliveries are kept for inspection and replay. */
  DELIVERY_RETENTION_DAYS: zInt(1, 365).default(30),
  /** Connections to the pooler. A job holds one per statement, so a few serve many jobs. */
  DATABASE_POOL_SIZE: zInt(1, 100).default(8),
  /** Time that running jobs get to finish after a stop signal. Below the job file's kill_timeout. */
  STOP_GRACE_MS: zInt(0, 600_000).default(20_000),
});

/** Loads the configuration of a worker process; exits with a list of every fault if there is one. */
export function loadWorkersConfig(env: Record<string, string | undefined> = process.env) {
  const { overrides, faults } = shardOverrides(env);
  return { ...loadConfig(workersEnv, env, faults), overrides, supervised: isSupervised(env) };
}
