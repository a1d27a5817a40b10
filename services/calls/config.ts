import { z } from "zod";
import { destinationRule, maxDestinationRules } from "../../lib/calls/destinations.ts";
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
  /** What a call gets for which there is no slot: 503 with Retry-After, or the busy tone. */
  CALLS_WHEN_FULL: z.enum(["503", "reject"]).default("503"),
  /** How long a slot outlives whoever last renewed it. Above the time a consent line takes, or a ringing telephone. */
  CALL_LEASE_MS: zInt(1000, 600_000).default(60_000),
  /** How long a Redis that has restarted admits nobody new, while the replicas bring back the calls they carry. */
  CALL_RECOVERY_MS: zInt(0, 60_000).default(3000),
  /** How long calls are carried on once the process was told to stop; then they are handed over. Below the job file's kill_timeout. */
  STOP_GRACE_MS: zInt(0, 3_600_000).default(540_000),

  /** The carrier's shared secret. Without it no webhook can be verified, so none is accepted. */
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  /** Accepted beside TWILIO_AUTH_TOKEN while the token is rotated: the new one before it counts, then the old one. */
  TWILIO_AUTH_TOKEN_SECONDARY: z.string().min(16).optional(),
  /** The account whose webhooks are ours, and in whose name calls are placed. */
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
  /** How long a caller hears silence while the agent cannot be reached; then the call is given up with an apology. */
  CALL_AGENT_PATIENCE_MS: zInt(100, 120_000).default(10_000),
  /** A carrier that sends nothing for this long on a stream is gone: it sends a frame every 20 ms. */
  STREAM_IDLE_MS: zInt(100, 120_000).default(15_000),
  /** Shown to the agent as a bearer token. */
  CALL_AGENT_TOKEN: z.string().min(16).optional(),
  /** Bearer token of the internal API, which places calls; closed where it is not set. */
  CALLS_TOKEN: z.string().min(16).optional(),
});

export type CallsConfig = z.output<typeof callsEnv>;

/** The account's tokens, the current one first; empty if none is set. */
export function authTokensOf({
  TWILIO_AUTH_TOKEN: primary,
  TWILIO_AUTH_TOKEN_SECONDARY: secondary,
}: CallsConfig): string[] {
  return [primary, secondary].filter((token) => token !== undefined);
}

/** The configuration of a calls process; ends it with every fault named where there is one. */
export function loadCallsConfig(env: Record<string, string | undefined> = process.env) {
  return { ...loadConfig(callsEnv, env), supervised: isSupervised(env) };
}
