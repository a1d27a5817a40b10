import type { LiveCall } from "../../../lib/calls/live_call.ts";
import type { LiveCalls } from "../backend/live_calls.ts";

/** In-memory calls in progress. */
export type FakeLiveCalls = LiveCalls & { calls: Map<string, LiveCall> };

export function createFakeLiveCalls(): FakeLiveCalls {
  const calls = new Map<string, LiveCall>();
  let limit = 50;
  return {
    calls,
    active: async () => calls.size,
    limit: async () => limit,
    setLimit: async (next) => {
      limit = next;
    },
    read: async (callSid) => calls.get(callSid),
    list: async (businessId) =>
      [...calls]
        .filter(([, call]) => call.business_id === businessId)
        .map(([call_sid, call]) => ({ call_sid, ...call })),
  };
}
