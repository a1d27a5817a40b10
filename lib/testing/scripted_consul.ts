import type { BlockingAnswer, ConsulClient } from "../consul/client.ts";

/** A Consul that gives these answers to blocking queries, one after the other, and none after the last. */
export function scriptConsul(script: readonly (BlockingAnswer | "away")[]) {
  let asked = 0;
  const consul = {
    blockingGet: async (_path: string, { signal }: { signal?: AbortSignal }) => {
      const answer = script[asked++];
      if (answer === "away") throw new Error("connection refused");
      if (answer !== undefined) return answer;
      const { promise, reject } = Promise.withResolvers<BlockingAnswer>();
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      return promise;
    },
  } as unknown as ConsulClient;
  return { consul, /** Every answer was given and taken. */ isOver: () => asked > script.length };
}
