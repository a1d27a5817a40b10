import { z } from "zod";
import { deviceName, plainDeviceName } from "../../lib/contracts/shard/device_name.ts";
import { noProxies, zProxies } from "../../lib/egress/index.ts";
import {
  baseEnv,
  consulEnv,
  databaseEnv,
  loadConfig,
  parseConfig,
  redisEnv,
  zInt,
  zKeyRing,
  zTokens,
  zUrl,
} from "../../lib/runtime/config.ts";
import { tracingEnv } from "../../lib/runtime/tracing.ts";
import type { ConfigFault } from "../../lib/runtime/config.ts";
import { storageEnv } from "../../lib/storage/index.ts";
import { defaultDeafnessTimes } from "./session/deafness_detector.ts";
import { zNoiseRoot } from "./session/noise_root.ts";

export const whatsappEnv = z.object({
  ...baseEnv,
  ...tracingEnv,
  ...consulEnv,
  ...redisEnv,
  ...storageEnv,
  /** NOMAD_ALLOC_INDEX, from 0; the shard's number is one more. */
  SHARD_INDEX: zInt(0, 9_999),
  /** The shard's volume. */
  AUTH_DIR: z.string().min(1).default("/auth"),
  /**
   * How much of the shard's state survives its volume (copy/README.md).
   *   local      nothing
   *   copied     everything but the last second
   *   required   everything: nothing leaves the shard before the copy has it
   */
  WA_DURABILITY: z.enum(["local", "copied", "required"]).default("local"),
  /** For the copy: through the pooler, as the role prosaas_shards. */
  DATABASE_URL_POOLER: databaseEnv.DATABASE_URL_POOLER.optional(),
  /** "id:base64 of 32 bytes[,…]": the first key seals, every key opens. */
  AUTH_KEYS: zKeyRing,
  /** The ring that all shards shared before each had its own. It opens values that no shard has resealed yet. */
  FORMER_AUTH_KEYS: zKeyRing.optional(),
  /** Bearer tokens that this shard's internal API accepts. No other shard has the same. */
  SHARD_TOKEN: zTokens,
  /** True if accounts are paced by default. Off only against the simulator. */
  PACING: z.enum(["on", "off"]).default("on"),
  /** Milliseconds without a delivery from WhatsApp before a session is probed. */
  PROBE_IDLE_MS: zInt(1_000, 86_400_000).default(defaultDeafnessTimes.idleMs),
  /** Operator's egress proxies of shards and businesses, as JSON (lib/egress). Sockets to WhatsApp go through them. */
  EGRESS_PROXIES: zProxies.default(noProxies),
  /** Name of linked devices, as phones list them, if a connect names no other. */
  WA_DEVICE_NAME: deviceName.default(plainDeviceName),
  /** The deployed version, as Nomad's job names it. */
  NOMAD_META_RELEASE: z.string().min(1).optional(),
  WA_WEBSOCKET_URL: zUrl("ws", "wss").default("wss://web.whatsapp.com/ws/chat"),
  /** Base64 of 32 bytes: the Noise root to trust instead of WhatsApp's own. For development. */
  WA_NOISE_ROOT: zNoiseRoot.optional(),
});

export type ShardConfig = z.output<typeof whatsappEnv>;

/** Loads the configuration of a shard. Exits with every fault named if there are any. */
export function loadShardConfig(env: Record<string, string | undefined> = process.env): ShardConfig {
  const former = env["FORMER_AUTH_KEYS"];
  const own = former ? { ...env, AUTH_KEYS: `${env["AUTH_KEYS"]},${former}` } : env;
  return loadConfig(whatsappEnv, own, faultsOfCopy(own));
}

/** A copy needs Postgres and a storage. */
function faultsOfCopy(env: Record<string, string | undefined>): ConfigFault[] {
  const parsed = parseConfig(whatsappEnv, env);
  if (!("config" in parsed) || parsed.config.WA_DURABILITY === "local") return [];
  return (["DATABASE_URL_POOLER", "STORAGE_URL"] as const)
    .filter((variable) => parsed.config[variable] === undefined)
    .map((variable) => ({ variable, message: `is not set, and WA_DURABILITY is ${parsed.config.WA_DURABILITY}` }));
}
