import type { BlockingAnswer, ConsulClient } from "../consul/client.ts";

/** Creates a Consul client that answers blocking queries from a script, and blocks forever after its end. */
export function scriptConsul(script: readonly (BlockingAnswer | "away")[]) {
  let queries = 0;
  const consul = {
    blockingGet: async (_path: string, { signal }: { signal?: AbortSignal }) => {
      const answer = script[queries++];
      if (answer === "away") throw new Error("connection refused");
      if (answer !== undefined) return answer;
      const { promise, reject } = Promise.withResolvers<BlockingAnswer>();
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      return promise;
    },
  } as unknown as ConsulClient;
  return { consul, /** True if the client has consumed every answer. */ isOver: () => queries > script.length };
}
