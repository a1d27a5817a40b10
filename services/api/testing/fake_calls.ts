import type { CallOrder, CallsClient } from "../../../lib/contracts/calls/index.ts";
import { AppError } from "../../../lib/core/errors.ts";

/** An in-memory calls service that records created calls by sid. */
export type FakeCalls = CallsClient & { placed: Map<string, CallOrder>; full: boolean };

export function createFakeCalls(): FakeCalls {
  const byKey = new Map<string, string>();
  const fake: FakeCalls = {
    placed: new Map(),
    full: false,
    dial: async (order, key) => {
      if (fake.full)
        throw new AppError("unavailable", "The concurrent-call limit has been reached.", { retryAfterS: 5 });
      const before = key === undefined ? undefined : byKey.get(key);
      if (before !== undefined) return { call_sid: before, status: "queued", replayed: true };
      const callSid = `CA${String(fake.placed.size).padStart(32, "0")}`;
      fake.placed.set(callSid, order);
      if (key !== undefined) byKey.set(key, callSid);
      return { call_sid: callSid, status: "queued", replayed: false };
    },
  };
  return fake;
}
