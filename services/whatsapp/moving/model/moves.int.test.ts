import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkModel } from "../../../../scripts/testing/models/spin.ts";

const file = join(import.meta.dir, "moves.pml");

// `task verify:models` searches more states, and every mutation.
describe("the model of moves", () => {
  test("holds for one move", async () => {
    const checked = await checkModel({ file, defines: ["MOVES=1"] });
    expect(checked).toMatchObject({ violation: undefined, isComplete: true });
    expect(checked.states).toBeGreaterThan(1_000);
  });

  test.each(["MUTATE_OPEN_SOURCE", "MUTATE_LATE_ROLLBACK"])("is violated without a rule (%s)", async (mutation) => {
    expect((await checkModel({ file, defines: ["MOVES=1", mutation] })).violation).toContain("assertion violated");
  });
});
