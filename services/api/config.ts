import { z } from "zod";
import { baseEnv, consulEnv, databaseEnv, redisEnv, zInt, zUrl } from "../../lib/runtime/config.ts";
import { routingEnv } from "../../lib/routing/config.ts";

export const configSchema = z.object({
  ...baseEnv,
  ...consulEnv,
  ...routingEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  /** Connections of one replica; the sum over all replicas must fit the pooler. */
  DATABASE_POOL_SIZE: zInt(1, 200).default(10),
  SHARD_TOKEN: z.string().min(16),
  /** Where callers reach the API: goes into the OpenAPI document. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
});
