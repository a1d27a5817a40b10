import { callLimitKey, parseLimit } from "../../lib/consul/call_limit.ts";
import { parseKv } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { watch } from "../../lib/consul/watch.ts";

export { callLimitKey, parseLimit };

export type CallLimit = {
  /** Calls that may be in progress at once, over all replicas. */
  current(): number;
};

export type CallLimitOptions = {
  consul: ConsulClient;
  /** MAX_CONCURRENT_CALLS: counts until the key exists. */
  first: number;
  signal: AbortSignal;
  onChange?: (limit: number) => void;
  /** The key holds no number, or Consul does not answer; the last good limit stays. */
  onError?: (error: unknown) => void;
  key?: string;
};

/** Follows the limit in Consul's KV; a change counts from the next admission on, without a restart. */
export function followCallLimit({ consul, first, signal, onChange, onError, key = callLimitKey }: CallLimitOptions): CallLimit {
  let limit = first;
  void watch({
    consul,
    path: `/v1/kv/${key}`,
    parse: (body) => parseKv(body)?.value ?? null,
    onChange: (value) => {
      const next = value === null ? first : parseLimit(value);
      if (next === null) onError?.(new Error(`${key} holds no number of calls; the limit stays ${limit}`));
      else if (next !== limit) {
        limit = next;
        onChange?.(next);
      }
    },
    onError: (error) => onError?.(error),
    signal,
  });
  return { current: () => limit };
}
