import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkModel } from "../../../../scripts/testing/models/spin.ts";

const file = join(import.meta.dir, "ownership.pml");

// `task verify:models` searches more states, and every mutation.
describe("the model of ownership", () => {
  test("holds for one fault and one successor", async () => {
    const checked = await checkModel({ file, defines: ["REQUIRED=1", "FAULTS=1", "EPOCHS=2"] });
    expect(checked).toMatchObject({ violation: undefined, isComplete: true });
    expect(checked.states).toBeGreaterThan(1_000);
  });

  test.each([
    ["REQUIRED=1", "MUTATE_NO_LEASE"],
    ["REQUIRED=1", "MUTATE_ACK_BEFORE_COPY"],
    ["REQUIRED=0", "MUTATE_NO_RESET"],
    ["DISCARDS=1", "MUTATE_EPOCH_ONLY"],
    ["DISCARDS=1", "MUTATE_LOCK_FIRST"],
  ])("is violated without a rule (%s %s)", async (setting, mutation) => {
    expect((await checkModel({ file, defines: [setting, mutation] })).violation).toContain("assertion violated");
  });
});
