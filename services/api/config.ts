import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { routingEnv, shardOverrides } from "../../lib/routing/index.ts";
import { baseEnv, consulEnv, databaseEnv, loadConfig, redisEnv, zInt, zUrl } from "../../lib/runtime/config.ts";

export const apiEnv = z.object({
  ...baseEnv,
  ...consulEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  /** Connections of one replica to the pooler; the sum over all replicas must fit it. */
  DATABASE_POOL_SIZE: zInt(1, 200).default(10),
  ...routingEnv,
  /** Bearer token of the shards' internal API. */
  SHARD_TOKEN: z.string().min(16),
  /** Where callers reach the API; goes into the OpenAPI document. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
});

/** The configuration of an API process; ends it with every fault named where there is one. */
export function loadApiConfig(env: Record<string, string | undefined> = process.env) {
  const { overrides, faults } = shardOverrides(env);
  return { ...loadConfig(apiEnv, env, faults), overrides, supervised: isSupervised(env) };
}
