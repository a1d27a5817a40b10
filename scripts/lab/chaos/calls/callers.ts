import { until } from "../../../../lib/testing/until.ts";
import type { Stack } from "../../../../services/calls/testing/stack.ts";
import type { SimulatedCall } from "../../../../services/simulator/carrier/call.ts";

const marksOf = (call: SimulatedCall) => call.view().streams.flatMap((stream) => stream.marks);

/** People who call one number, and what becomes of them. */
export function createCallers(stack: Stack, number: string) {
  const talking = (calls: readonly SimulatedCall[]) => calls.filter((call) => call.status === "in-progress");

  return {
    talking,
    /** So many call at once; resolves when each of them talks or was turned away. */
    attempt: async (count: number): Promise<SimulatedCall[]> => {
      const calls = Array.from({ length: count }, () =>
        stack.carrier.dialIn({ from: "+15550000001", to: number, durationS: null, digits: "" }),
      );
      await until(() => calls.every((call) => marksOf(call).length > 0 || call.view().end !== null), {
        what: `${count} callers to get through or not`,
        deadlineMs: 120_000,
      });
      return talking(calls);
    },
    /**
     * Each presses `key` until the agent says that it remembers it behind all the keys before: one that is pressed in
     * the moment of a change is not heard, and people press again. Gives how many it was heard from.
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

/** Watches how many calls the carrier has up, and by how many they ever are more than may be. */
export function watchLimit(stack: Stack, limit: () => number) {
  let over = 0;
  const timer = setInterval(() => {
    const up = stack.carrier.calls().filter((call) => call.status === "in-progress").length;
    over = Math.max(over, up - limit());
  }, 20);
  return { over: () => over, stop: () => clearInterval(timer) };
}
