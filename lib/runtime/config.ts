import { z } from "zod";
import { messageOf } from "../core/errors.ts";
import { KeyRing } from "../core/key_ring.ts";
import { parseNetworks } from "../core/networks.ts";

/** A TCP port; 0 lets the kernel choose a free one. */
export const zPort = z.coerce.number().int().min(0).max(65_535);

/** A whole number within bounds. */
export const zInt = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** true/false, 1/0, yes/no, on/off. */
export const zBool = z.stringbool();

/** A URL of one of the given schemes. */
export const zUrl = (...schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)), {
    message: `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`,
  });

/** "id:base64 of 32 bytes[,…]": the first key seals, all open. */
export const zKeyRing = z.string().transform((text, context) => {
  try {
    return KeyRing.parse(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

/**
 * Tokens with commas between, of a service that checks them. Each is accepted, so that clients can change from one to
 * the next.
 */
export const zTokens = z
  .string()
  .transform((text) => text.split(",").map((token) => token.trim()))
  .pipe(z.array(z.string().min(16, "each token needs at least 16 characters")));

/** Networks in CIDR notation, separated by commas. */
export const zNetworks = z.string().transform((text, context) => {
  try {
    return parseNetworks(text.split(",").map((network) => network.trim()));
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

/** Variables that every service reads. */
export const baseEnv = {
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: zPort.default(0),
  /** Port of /health, /ready and /metrics. No proxy routes to it. */
  OPS_PORT: zPort.default(0),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
  /** Bearer tokens that /metrics accepts. Unset: /metrics is open. */
  METRICS_TOKEN: zTokens.optional(),
};

export const consulEnv = {
  CONSUL_HTTP_ADDR: z
    .string()
    .regex(/^(https?:\/\/)?[^\s/:]+:\d+$/, "must be host:port or http(s)://host:port")
    .default("127.0.0.1:8500"),
  CONSUL_HTTP_TOKEN: z.string().min(1).optional(),
};

export const redisEnv = { REDIS_URL: zUrl("redis", "rediss") };

export const databaseEnv = {
  /** Through the pooler, as the role `prosaas_app`, which owns no tables and is subject to row-level security. */
  DATABASE_URL_POOLER: zUrl("postgres", "postgresql"),
  /** For reads that may lag. Unset: the pooler serves them. */
  DATABASE_URL_READ: zUrl("postgres", "postgresql").optional(),
};

export type ConfigFault = { variable: string; message: string };

/** Parses an environment. Returns the values, or every fault at once. An empty variable counts as not set. */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  env: Record<string, string | undefined>,
): { config: z.output<S> } | { faults: ConfigFault[] } {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = schema.safeParse(present);
  if (parsed.success) return { config: parsed.data };
  return {
    faults: parsed.error.issues.map((issue) => {
      const variable = issue.path.map(String).join(".") || "(all)";
      const missing = issue.code === "invalid_type" && !(variable in present);
      return { variable, message: missing ? "is not set" : issue.message };
    }),
  };
}

/**
 * Reads the configuration of a service. If it has faults, prints all of them to stderr, without values, and exits 2.
 * `more` are faults in variables that no schema can name, such as BAILEYS_SHARD_<n>_URL.
 */
export function loadConfig<S extends z.ZodObject>(
  schema: S,
  env: Record<string, string | undefined> = process.env,
  more: readonly ConfigFault[] = [],
): z.output<S> {
  const result = parseConfig(schema, env);
  if ("config" in result && more.length === 0) return result.config;
  const faults = [...("faults" in result ? result.faults : []), ...more];
  process.stderr.write(`The configuration has ${faults.length} fault(s). Fix these environment variables:\n`);
  for (const { variable, message } of faults) process.stderr.write(`  ${variable}: ${message}\n`);
  process.exit(2);
}
