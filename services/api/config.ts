import { z } from "zod";
import { parseNetworks } from "../../lib/core/networks.ts";
import { isSupervised } from "../../lib/consul/register.ts";
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
  zNetworks,
  zUrl,
} from "../../lib/runtime/config.ts";
import { tracingEnv } from "../../lib/runtime/tracing.ts";
import { storageEnv } from "../../lib/storage/index.ts";

export const apiEnv = z.object({
  ...baseEnv,
  ...tracingEnv,
  ...consulEnv,
  ...redisEnv,
  ...databaseEnv,
  /** Connections of one process to the pooler, and to the replica. `task connections` checks the sum over all. */
  DATABASE_POOL_SIZE: zInt(1, 200).default(10),
  /** Maximum lag of the replica, in ms. Beyond it, the primary serves the reads. */
  DATABASE_READ_MAX_LAG_MS: zInt(100, 600_000).default(5_000),
  ...routingEnv,
  /** Rate limit of one key. */
  RATE_LIMIT_PER_MINUTE: zInt(1, 10_000_000).default(6_000),
  /** Rate limit of all keys of one business together. Defaults to four times the limit of a key. */
  RATE_LIMIT_PER_BUSINESS_PER_MINUTE: zInt(1, 100_000_000).optional(),
  /** Networks of the edge (nginx), whose X-Forwarded-For is trusted. Defaults to loopback and private networks. */
  EDGE_NETWORKS: zNetworks.default(() =>
    parseNetworks(["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"]),
  ),
  /** Maximum concurrent requests; further ones get 503. A business may use a quarter. */
  MAX_CONCURRENT_REQUESTS: zInt(8, 10_000).default(512),
  /** Maximum concurrent uploads and downloads. A business may use an eighth and a quarter. */
  MAX_UPLOADS: zInt(8, 1_000).default(64),
  MAX_DOWNLOADS: zInt(8, 2_000).default(128),
  /** Quota of stored media of one business. Must equal the workers' setting. */
  MEDIA_QUOTA_BYTES: zQuota("mediaBytes"),
  /** Quotas of queued messages of one business, including recipients of unfinished broadcasts. */
  QUEUED_MESSAGES_QUOTA: zQuota("queuedMessages"),
  QUEUED_BYTES_QUOTA: zQuota("queuedBytes"),
  /** Must equal the calls service's setting. Applies until prosaas/calls/max_concurrent is set in Consul. */
  MAX_CONCURRENT_CALLS: zInt(0, 100_000).default(50),
  /** Bearer token of the calls service's internal API. Without it, calls cannot be created. */
  CALLS_TOKEN: z.string().min(16).optional(),
  /** Root from which the tokens of the shards' internal API are derived. */
  SHARD_TOKEN: z.string().min(16),
  /** Encrypts secrets in the database. Must be the same in every service that reads them. */
  DATA_KEYS: zKeyRing,
  /** For development: allows webhooks over http and to private networks. */
  WEBHOOKS_ALLOW_PRIVATE: zBool.default(false),
  ...storageEnv,
  /** Public URL of the API, as shown in the OpenAPI document. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
});

/** Loads the configuration. Reports every fault at once and exits if there is one. */
export function loadApiConfig(env: Record<string, string | undefined> = process.env) {
  const { overrides, faults } = shardOverrides(env);
  return { ...loadConfig(apiEnv, env, faults), overrides, supervised: isSupervised(env) };
}
