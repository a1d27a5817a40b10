import { callLimitKey, parseLimit } from "../../lib/consul/call_limit.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { followValue } from "../../lib/consul/live_value.ts";
import type { LiveValue } from "../../lib/consul/live_value.ts";

export { callLimitKey, parseLimit };

/** Calls that may be in progress at once, over all replicas. */
export type CallLimit = Pick<LiveValue<number>, "current">;

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
export function followCallLimit({ key = callLimitKey, ...options }: CallLimitOptions): CallLimit {
  return followValue({ ...options, key, parse: parseLimit });
}
