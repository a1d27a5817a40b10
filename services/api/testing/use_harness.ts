import { afterAll, beforeAll } from "bun:test";
import { createHarness } from "./harness.ts";
import type { Harness } from "./harness.ts";

/**
 * Creates a harness before the tests of a file and closes it after them. Returns a stand-in that forwards to it, so
 * that tests and hooks can use a constant.
 */
export function useHarness(...options: Parameters<typeof createHarness>): Harness {
  let harness: Harness | undefined;
  beforeAll(async () => {
    harness = await createHarness(...options);
  });
  afterAll(() => harness?.close());
  return new Proxy({} as Harness, {
    get: (_, name) => {
      if (harness === undefined) throw new Error("The harness exists within tests and hooks only.");
      return Reflect.get(harness, name) as unknown;
    },
  });
}
