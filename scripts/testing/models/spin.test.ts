import { describe, expect, test } from "bun:test";
import { mutationsOf, parseReport, settingsOf } from "./spin.ts";

const complete = "State-vector 84 byte, depth reached 714, errors: 0\n    57759 states, stored\n";

describe("a report of SPIN", () => {
  test("of a whole search without a violation is complete", () => {
    expect(parseReport(complete)).toEqual({ violation: undefined, isComplete: true, states: 57_759 });
  });

  test("contains the violated assertion", () => {
    const report = `pan:1: assertion violated (a==b) (at depth 4)\n${complete.replace("errors: 0", "errors: 1")}`;
    expect(parseReport(report)).toMatchObject({
      violation: "assertion violated (a==b) (at depth 4)",
      isComplete: false,
    });
  });

  test("without an end is not complete", () => {
    expect(parseReport("Depth= 5 States= 1e+06\n").isComplete).toBeFalse();
  });

  test.each(["error: max search depth too small", "pan: out of memory"])("is refused after %p", (line) => {
    expect(() => parseReport(`${line}\n${complete}`)).toThrow("incomplete");
  });
});

test("a model names its settings and mutations", () => {
  const model = "/*\n * Settings: A=1 A=0\n *\n * MUTATE_* \n*/\n#ifdef MUTATE_B_C\n#endif\n#ifdef MUTATE_A\n#endif\n";
  expect(settingsOf(model)).toEqual(["A=1", "A=0"]);
  expect(mutationsOf(model)).toEqual(["MUTATE_A", "MUTATE_B_C"]);
  expect(() => settingsOf("/* none */")).toThrow("no line of its settings");
});
