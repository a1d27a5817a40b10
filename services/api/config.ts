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
import { storageEnv } from "../../lib/storage/index.ts";

export const apiEnv = z.object({
  ...baseEnv,
  ...consulEnv,
  ...redisEnv,
  ...databaseEnv,
  /** Connections of one process to the pooler, and to the replica; the sum over all must fit them (task connections). */
  DATABASE_POOL_SIZE: zInt(1, 200).default(10),
  /** A replica that is further behind is not asked, in ms. */
  DATABASE_READ_MAX_LAG_MS: zInt(100, 600_000).default(5_000),
  ...routingEnv,
  /** Requests that one key may make in a minute. */
  RATE_LIMIT_PER_MINUTE: zInt(1, 10_000_000).default(6_000),
  /** Requests that all keys of one business may make in a minute; by default four times those of a key. */
  RATE_LIMIT_PER_BUSINESS_PER_MINUTE: zInt(1, 100_000_000).optional(),
  /** Networks of the edge (nginx), which names callers in X-Forwarded-For; by default loopback and private ones. */
  EDGE_NETWORKS: zNetworks.default(() =>
    parseNetworks(["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"]),
  ),
  /** Requests in progress beyond which further ones are answered 503; a business gets a quarter of them. */
  MAX_REQUESTS_UNDER_WAY: zInt(8, 10_000).default(512),
  /** Uploads in progress, and files that are being read; a business gets an eighth and a quarter of them. */
  MAX_UPLOADS: zInt(8, 1_000).default(64),
  MAX_DOWNLOADS: zInt(8, 2_000).default(128),
  /** Bytes of stored media of one business; the workers have the same. */
  MEDIA_QUOTA_BYTES: zQuota("mediaBytes"),
  /** Queued messages of one business and their bytes, recipients of unfinished broadcasts included. */
  QUEUED_MESSAGES_QUOTA: zQuota("queuedMessages"),
  QUEUED_BYTES_QUOTA: zQuota("queuedBytes"),
  /** As the calls service has it: counts until Consul's prosaas/calls/max_concurrent is set. */
  MAX_CONCURRENT_CALLS: zInt(0, 100_000).default(50),
  /** Bearer token of the calls service's internal API; without it no calls are placed. */
  CALLS_TOKEN: z.string().min(16).optional(),
  /** Root of the tokens of the shards' internal API. */
  SHARD_TOKEN: z.string().min(16),
  /** Seals what is secret in the database; the same in every service that reads it. */
  DATA_KEYS: zKeyRing,
  /** For development: webhooks may be delivered over http and into private networks. */
  WEBHOOKS_ALLOW_PRIVATE: zBool.default(false),
  ...storageEnv,
  /** Where callers reach the API; goes into the OpenAPI document. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
});

/** The configuration of an API process; ends it with every fault named where there is one. */
export function loadApiConfig(env: Record<string, string | undefined> = process.env) {
  const { overrides, faults } = shardOverrides(env);
  return { ...loadConfig(apiEnv, env, faults), overrides, supervised: isSupervised(env) };
}
