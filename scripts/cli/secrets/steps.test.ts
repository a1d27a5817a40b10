import { describe, expect, test } from "bun:test";
import { stepsLeft, valuesAfter } from "./steps.ts";
import type { Step } from "./steps.ts";

/** The values after each step, of a rotation that is interrupted within every step and run again. */
function valuesOfRotation(steps: readonly Step[], secret: string): string[] {
  let [started, value]: [Step | null, string] = [null, secret];
  const seen: string[] = [];
  for (const step of steps) {
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(stepsLeft(steps, started)[0]).toBe(attempt === 0 && started !== null ? started : step);
      value = valuesAfter(step, started, value, () => `new${attempt}`);
      started = step;
    }
    seen.push(value);
  }
  return seen;
}

describe("a rotation", () => {
  test("overlaps the values of a token", () => {
    expect(valuesOfRotation(["accept", "present", "retire"], "old")).toEqual(["old,new0", "new0,old", "new0"]);
  });

  test("keeps the older keys of a ring", () => {
    expect(valuesOfRotation(["accept", "present"], "k2,k1")).toEqual(["k2,new0,k1", "new0,k2,k1"]);
  });

  test("puts a key first that one process alone reads", () => {
    expect(valuesOfRotation(["present"], "s1")).toEqual(["new0,s1"]);
  });

  test("waits for the carrier between present and retire", () => {
    const values = valuesOfRotation(["accept", "present", "promote", "retire"], "old");
    expect(values).toEqual(["old,new0", "new0,old", "new0,old", "new0"]);
  });
});
