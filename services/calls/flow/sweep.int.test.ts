import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { sid } from "../testing/call.ts";
import { startStack } from "../testing/stack.ts";
import type { Stack } from "../testing/stack.ts";
import { newCallState } from "./core.ts";
import type { Core } from "./core.ts";
import { sweepCalls } from "./sweep.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test.each(["before its turn", "in its turn"])("the sweep spares a call that changes %s", async (when) => {
  const { scope, number } = await stack.business();
  const { core } = stack.replicas[0]!;
  const line = { business_id: scope.businessId, max_concurrent: null, record: false, consent_line: "" };
  // The sweep orders calls by time, and by sid within a millisecond.
  const [silent, live] = [sid("CA"), sid("CA")].toSorted() as [string, string];
  for (const callSid of [silent, live]) {
    const party = { callSid, direction: "inbound", from: "+15551112222", to: number, status: "in-progress" } as const;
    await core.store.begin(newCallState(party, line, Date.now()));
  }
  // Times are whole milliseconds: a change within the first one would leave the time of the call as it is.
  await until(async () => (await core.store.stale(1, 10)).some(({ callSid }) => callSid === live), {
    what: "another millisecond",
    everyMs: 1,
  });
  const change = () => core.store.change(live, () => ({ step: "streaming" }));
  const store: Core["store"] = {
    ...core.store,
    read: async (callSid) => {
      const seen = await core.store.read(callSid);
      if (callSid === live && when === "in its turn") await change();
      return seen;
    },
  };
  const archive: Core["archive"] = {
    ...core.archive,
    write: async (call) => {
      if (when === "before its turn" && call.call_sid === silent) await change();
      return core.archive.write(call);
    },
  };
  await sweepCalls({ ...core, store, archive }, 0);
  expect((await core.store.read(silent)).call).toMatchObject({ step: "ended" });
  expect((await core.store.read(live)).call).toMatchObject({ step: "streaming" });
});
