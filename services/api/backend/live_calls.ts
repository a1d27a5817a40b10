import { readCallLimit, writeCallLimit } from "../../../lib/calls/limit.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import type { CallCapacity } from "../../../lib/calls/capacity.ts";
import { listLiveCalls, readLiveCall } from "../../../lib/calls/live_call.ts";
import type { LiveCall } from "../../../lib/calls/live_call.ts";
import type { Redis } from "ioredis";

/** What the calls service keeps of the calls in progress. */
export type LiveCalls = {
  /** How many there are. */
  active(): Promise<number>;
  /** How many there may be. */
  limit(): Promise<number>;
  /** Counts from the next call on; one that is in progress goes on. */
  setLimit(limit: number): Promise<void>;
  read(callSid: string): Promise<LiveCall | undefined>;
  /** A business's, the latest to begin first; at most `limit`. */
  list(businessId: string, limit: number): Promise<(LiveCall & { call_sid: string })[]>;
};

export type LiveCallsOptions = {
  redis: Redis;
  consul: ConsulClient;
  capacity: Pick<CallCapacity, "count">;
  /** MAX_CONCURRENT_CALLS of the calls service: counts until somebody sets a limit. */
  firstLimit: number;
};

export function createLiveCalls({ redis, consul, capacity, firstLimit }: LiveCallsOptions): LiveCalls {
  return {
    active: () => capacity.count(),
    limit: async () => (await readCallLimit(consul)) ?? firstLimit,
    setLimit: (limit) => writeCallLimit(consul, limit),
    read: (callSid) => readLiveCall(redis, callSid),
    list: (businessId, limit) => listLiveCalls(redis, businessId, limit),
  };
}
