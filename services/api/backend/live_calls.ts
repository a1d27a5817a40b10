import { readCallLimit, writeCallLimit } from "../../../lib/calls/limit.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import type { CallCapacity } from "../../../lib/calls/capacity.ts";
import { listLiveCalls, readLiveCall } from "../../../lib/calls/live_call.ts";
import type { LiveCall } from "../../../lib/calls/live_call.ts";
import type { Redis } from "ioredis";

/** Reads the calls service's state of calls in progress. */
export type LiveCalls = {
  /** Number of calls in progress. */
  active(): Promise<number>;
  /** Maximum number of concurrent calls. */
  limit(): Promise<number>;
  /** Applies from the next call on. Calls in progress continue. */
  setLimit(limit: number): Promise<void>;
  read(callSid: string): Promise<LiveCall | undefined>;
  /** Calls of a business, newest first. */
  list(businessId: string, limit: number): Promise<(LiveCall & { call_sid: string })[]>;
};

export type LiveCallsOptions = {
  redis: Redis;
  consul: ConsulClient;
  capacity: Pick<CallCapacity, "count">;
  /** MAX_CONCURRENT_CALLS of the calls service: applies until a limit is set in Consul. */
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
