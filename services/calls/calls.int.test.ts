import { afterAll, beforeAll, expect, test } from "bun:test";
import { getCall } from "../../lib/db/index.ts";
import { until } from "../../lib/testing/until.ts";
import { someNumber, startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ replicas: 2, transferTo: "+15550009999" });
});
afterAll(() => stack.close());

const dial = (to: string, more: { digits?: string; durationS?: number | null } = {}) =>
  stack.carrier.dialIn({ from: "+15551112222", to, durationS: more.durationS ?? null, digits: more.digits ?? "" });

test("a call is answered, both ends hear each other, and its end is written down", async () => {
  const { scope, number } = await stack.business();
  const call = dial(number);
  await until(() => call.view().heard_ms > 1500, { what: "the caller to hear the agent", deadlineMs: 3000 }).catch((e) => { console.log(JSON.stringify(call.view(), null, 1), stack.lines); throw e; });
  expect(call.view().streams).toMatchObject([{ faulty: 0, marks: ["greeting"] }]);
  expect(await stack.capacity.count()).toBe(1);
  call.hangUp();
  await call.done;
  const row = await until(() => getCall(scope, call.sid), { what: "the row of the call" });
  expect(row).toMatchObject({ status: "completed", direction: "inbound", streams: 1, from_number: "+15551112222", to_number: number });
  expect(await stack.capacity.count()).toBe(0);
});
