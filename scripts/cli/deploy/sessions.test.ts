import { expect, test } from "bun:test";
import { areOpenAgain } from "./sessions.ts";

test("tolerates one closed session in twenty", () => {
  expect(areOpenAgain(0, 0)).toBeTrue();
  expect(areOpenAgain(19, 18)).toBeFalse();
  expect(areOpenAgain(40, 38)).toBeTrue();
  expect(areOpenAgain(40, 37)).toBeFalse();
  expect(areOpenAgain(40, 41)).toBeTrue();
});
