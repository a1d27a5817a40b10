import { z } from "zod";
import { destinationRule, maxDestinationRules } from "../../lib/calls/destinations.ts";
import { isSupervised } from "../../lib/consul/register.ts";
import {
  baseEnv,
  consulEnv,
  databaseEnv,
  loadConfig,
  redisEnv,
  zInt,
  zTokens,
  zUrl,
} from "../../lib/runtime/config.ts";
import { tracingEnv } from "../../lib/runtime/tracing.ts";

export const callsEnv = z.object({
  ...baseEnv,
  ...tracingEnv,
  ...consulEnv,
  ...redisEnv,
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER,
  /** Connections to the pooler: a call needs one for a statement at its start and one at its end. */
  DATABASE_POOL_SIZE: zInt(1, 100).default(4),
  /** Public URL of this service, outside every proxy: the carrier signs it. */
  PUBLIC_URL: zUrl("http", "https").default("https://localhost:8443"),
  /** Limit of concurrent calls until Consul has prosaas/calls/max_concurrent. */
  MAX_CONCURRENT_CALLS: zInt(0, 100_000).default(50),
  /** Answer to a call without a free slot: 503 with Retry-After, or the busy tone. */
  CALLS_WHEN_FULL: z.enum(["503", "reject"]).default("503"),
  /** Time to live of a slot. Above the duration of a consent line and of ringing. */
  CALL_LEASE_MS: zInt(1000, 600_000).default(60_000),
  /** Time for which a restarted Redis admits no new call, while the replicas re-admit the calls they carry. */
  CALL_RECOVERY_MS: zInt(0, 60_000).default(3000),
  /** Time after a stop signal until live calls are handed over. Below the job file's kill_timeout. */
  STOP_GRACE_MS: zInt(0, 3_600_000).default(540_000),

  /** The carrier's shared secret. Without it no webhook can be verified, so none is accepted. */
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  /** Accepted beside TWILIO_AUTH_TOKEN during a rotation: first the new token, after the promotion the old one. */
  TWILIO_AUTH_TOKEN_SECONDARY: z.string().min(16).optional(),
  /** The account whose webhooks are accepted and which dials calls. */
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/, "must be an account's sid")
    .optional(),
  /** Rules about destinations of calls and transfers (lib/calls/destinations.ts), for businesses without their own. */
  CALLS_ALLOWED_DESTINATIONS: z
    .string()
    .transform((text) => text.split(",").map((rule) => rule.trim()))
    .pipe(z.array(destinationRule).max(maxDestinationRules))
    .default(["own"]),
  /** Calls and transfers in 24 hours, for businesses without a limit of their own. */
  CALLS_PER_DAY: zInt(0, 1_000_000).default(1_000),
  TWILIO_API_URL: zUrl("http", "https").default("https://api.twilio.com"),

  /** The voice agent (services/calls/agent/PROTOCOL.md). Without it no call can be answered, so none is accepted. */
  CALL_AGENT_URL: zUrl("ws", "wss").optional(),
  /** How long a caller hears silence while the agent is unreachable; then the call ends with an apology. */
  CALL_AGENT_PATIENCE_MS: zInt(100, 120_000).default(10_000),
  /** A stream that is silent for this long is closed, because a carrier sends a frame every 20 ms. */
  STREAM_IDLE_MS: zInt(100, 120_000).default(15_000),
  /** Bearer token for the agent. */
  CALL_AGENT_TOKEN: z.string().min(16).optional(),
  /** Bearer tokens that the internal API accepts, which dials calls; without one the API is closed. */
  CALLS_TOKEN: zTokens.optional(),
});

export type CallsConfig = z.output<typeof callsEnv>;

/** The account's tokens, the current one first; empty if none is set. */
export function authTokensOf({
  TWILIO_AUTH_TOKEN: primary,
  TWILIO_AUTH_TOKEN_SECONDARY: secondary,
}: CallsConfig): string[] {
  return [primary, secondary].filter((token) => token !== undefined);
}

/** Loads the configuration of a calls process; exits with a list of every fault if there is one. */
export function loadCallsConfig(env: Record<string, string | undefined> = process.env) {
  return { ...loadConfig(callsEnv, env), supervised: isSupervised(env) };
}
