import type { DeadLetters } from "../../../lib/queues/index.ts";

/** Queues without dead letters. */
export function createFakeDeadLetters(): DeadLetters {
  return {
    list: async () => ({ letters: [], total: 0 }),
    replay: async () => {},
    replayAll: async () => ({ replayed: 0, left: 0 }),
    discard: async () => {},
  };
}
