import type { DeadLetters } from "../../../lib/queues/index.ts";

/** Queues in which nothing ever died. */
export function createFakeDeadLetters(): DeadLetters {
  return {
    list: async () => ({ letters: [], total: 0 }),
    replay: async () => {},
    replayAll: async () => ({ replayed: 0, left: 0 }),
    discard: async () => {},
  };
}
