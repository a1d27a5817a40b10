import { zInt } from "../runtime/config.ts";
import type { ConfigFault } from "../runtime/config.ts";

/** Environment variables of a process that routes. */
export const routingEnv = {
  /** The number of shards until Consul KV has `prosaas/whatsapp/num_shards`, which takes precedence. */
  BAILEYS_NUM_SHARDS: zInt(1, 10_000).default(1),
};

const overrideName = /^BAILEYS_SHARD_(.+)_URL$/;

/** Reads every `BAILEYS_SHARD_<n>_URL`: a fixed address for shard n that overrides the directory. */
export function shardOverrides(env: Record<string, string | undefined>): {
  overrides: Map<number, string>;
  faults: ConfigFault[];
} {
  const overrides = new Map<number, string>();
  const faults: ConfigFault[] = [];
  for (const [variable, value] of Object.entries(env)) {
    const number = overrideName.exec(variable)?.[1];
    if (number === undefined || !value) continue;
    if (!/^[1-9]\d{0,4}$/.test(number))
      faults.push({ variable, message: "the shard number must be an integer from 1" });
    else if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
      faults.push({ variable, message: "must be an http:// or https:// URL" });
    else overrides.set(Number(number), value.replace(/\/+$/, ""));
  }
  return { overrides, faults };
}
