import { describe, expect, test } from "bun:test";
import { faultOfRefusal } from "./servers_lost.ts";

const refused = {
  code: 1,
  stdout: "",
  stderr: "api: Nomad at https://n:4646 found no leader within 5 s: …",
  seconds: 9,
};

describe("faultOfRefusal", () => {
  test("accepts a refusal in words", () => {
    expect(faultOfRefusal(refused)).toBeNull();
  });

  test.each([
    ["a command that went through", { ...refused, code: 0 }, "it exited 0"],
    ["another reason", { ...refused, stderr: "api: the operation timed out" }, "another one"],
    ["a stack trace", { ...refused, stderr: `${refused.stderr}\n    at run (command.ts:1)` }, "stack trace"],
    ["a late refusal", { ...refused, seconds: 31 }, "31.0 s"],
  ])("reports %s", (_, outcome, fault) => {
    expect(faultOfRefusal(outcome)).toContain(fault);
  });
});
