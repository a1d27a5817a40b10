import { z } from "zod";
import { isSupervised } from "../../lib/consul/register.ts";
import { baseEnv, consulEnv, databaseEnv, loadConfig, redisEnv, zInt, zUrl } from "../../lib/runtime/config.ts";

export const callsEnv = z.object({
  ...baseEnv,
  ...consulEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  /** Connections to the pooler: a call needs one for a statement at its start and one at its end. */
  DATABASE_POOL_SIZE: zInt(1, 100).default(4),
  /** What the carrier calls us by, seen from outside every proxy: it signs this URL. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
  /** First value of Consul's prosaas/calls/max_concurrent; from then on that key alone counts. */
  MAX_CONCURRENT_CALLS: zInt(0, 100_000).default(50),
  /** The carrier's shared secret. Without it no webhook can be verified, so none is accepted. */
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
});

/** The configuration of a calls process; ends it with every fault named where there is one. */
export function loadCallsConfig(env: Record<string, string | undefined> = process.env) {
  return { ...loadConfig(callsEnv, env), supervised: isSupervised(env) };
}
