import { afterAll, afterEach, beforeAll } from "bun:test";
import { getCall } from "../../../lib/db/index.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import type { SimulatedCall } from "../../simulator/carrier/call.ts";
import { startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

export const transferTo = "+15550009999";

/**
 * Bound of the silence between two streams of a call, about a second on an idle machine. It is below every timeout that
 * a resumption could wait for; the shortest is STREAM_IDLE_MS, 15 s.
 */
export const longestSilenceMs = 10_000;

/** Two replicas for the tests of a file, without calls at the start of each test. */
export function useCalls() {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ replicas: 2, transferTo });
  });
  afterAll(() => stack.close());
  afterEach(async () => {
    stack.carrier.faults.clear();
    for (const call of stack.carrier.calls()) call.hangUp();
    await until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free" });
  });

  const marks = (call: SimulatedCall) => call.view().streams.flatMap((stream) => stream.marks);

  return {
    get stack() {
      return stack;
    },
    /** A caller dials the number. */
    dial: (to: string, more: { digits?: string; durationS?: number } = {}) =>
      stack.carrier.dialIn({ from: "+15551112222", to, durationS: more.durationS ?? null, digits: more.digits ?? "" }),
    marks,
    heard: (call: SimulatedCall, mark: string) =>
      until(() => marks(call).includes(mark), { what: `the caller to hear ${mark}` }),
    row: (business: { scope: BusinessScope }, call: SimulatedCall) =>
      until(() => getCall(business.scope, call.sid), { what: "the row of the call" }),
  };
}
