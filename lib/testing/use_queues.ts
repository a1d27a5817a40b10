import { afterEach, beforeEach } from "bun:test";
import { createTestQueues } from "./queues.ts";
import type { TestQueues } from "./queues.ts";

/** Empty queues for each test of a file. */
export function useQueues() {
  let queues: TestQueues;
  beforeEach(async () => {
    queues = await createTestQueues();
  });
  afterEach(() => queues.close());
  return {
    get queues() {
      return queues;
    },
  };
}
