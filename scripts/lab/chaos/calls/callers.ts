import { until } from "../../../../lib/testing/until.ts";
import type { Stack } from "../../../../services/calls/testing/stack.ts";
import type { SimulatedCall } from "../../../../services/simulator/carrier/call.ts";

const marksOf = (call: SimulatedCall) => call.view().streams.flatMap((stream) => stream.marks);

/** Simulated callers of one number. */
export function createCallers(stack: Stack, number: string) {
  const talking = (calls: readonly SimulatedCall[]) => calls.filter((call) => call.status === "in-progress");

  return {
    talking,
    /** Dials `count` calls at once; resolves when each is talking or was refused. */
    attempt: async (count: number): Promise<SimulatedCall[]> => {
      const calls = Array.from({ length: count }, () =>
        stack.carrier.dialIn({ from: "+15550000001", to: number, durationS: null, digits: "" }),
      );
      await until(() => calls.every((call) => marksOf(call).length > 0 || call.view().end !== null), {
        what: `${count} callers to be admitted or refused`,
        deadlineMs: 120_000,
      });
      return talking(calls);
    },
    /**
     * Each caller presses `key` until the agent confirms it behind all earlier keys; a key pressed during a failover is
     * lost, and people press again. Returns how many were heard.
     */
    areHeard: async (calls: readonly SimulatedCall[], key: string, keysBefore: string): Promise<number> => {
      const wanted = new RegExp(`^keys:${keysBefore}${key}+$`);
      let silent = [...calls];
      for (let attempt = 0; attempt < 4 && silent.length > 0; attempt++) {
        for (const call of silent) call.press(key);
        const stillSilent = () => silent.filter((call) => !marksOf(call).some((mark) => wanted.test(mark)));
        await until(() => stillSilent().length === 0, { deadlineMs: 8000 }).catch(() => {});
        silent = stillSilent();
      }
      return calls.length - silent.length;
    },
    hangUp: async (calls: readonly SimulatedCall[]) => {
      for (const call of calls) call.hangUp();
      await Promise.all(calls.map((call) => call.done));
    },
  };
}

export type Callers = ReturnType<typeof createCallers>;

/** Watches the carrier's active calls and records by how many they exceed the limit. */
export function watchLimit(stack: Stack, limit: () => number) {
  let over = 0;
  const timer = setInterval(() => {
    const up = stack.carrier.calls().filter((call) => call.status === "in-progress").length;
    over = Math.max(over, up - limit());
  }, 20);
  return { over: () => over, stop: () => clearInterval(timer) };
}
