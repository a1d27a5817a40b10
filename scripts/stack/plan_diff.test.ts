import { expect, test } from "bun:test";
import { differs } from "./plan_diff.ts";
import type { Diff } from "./plan_diff.ts";

const job = (target: number) => ({
  ID: "workers",
  Type: "service",
  TaskGroups: [
    { Name: "high", Count: 1, Scaling: { Min: 1, Max: 20, Enabled: true, Policy: { cooldown: "1m", target } } },
  ],
});

/** Nomad's plan for a job with an unchanged scaling policy. */
const hollow = (task: Diff): Diff => ({
  Type: "Edited",
  Fields: null,
  TaskGroups: [
    {
      Type: "Edited",
      Name: "high",
      Objects: [{ Type: "Edited", Name: "Scaling", Fields: null, Objects: null }],
      Tasks: [task],
    },
  ],
});
const sameTask: Diff = { Type: "None", Name: "worker", Fields: null };

test("compares scaling policies, whatever Nomad calls them", () => {
  expect(differs(hollow(sameTask), job(5), job(5))).toBeFalse();
  expect(differs(hollow(sameTask), job(5), job(10))).toBeTrue();
});

test("sees every other edit, addition and deletion", () => {
  const field: Diff = { Type: "Edited", Name: "Memory" };
  expect(
    differs(hollow({ Type: "Edited", Name: "worker", Objects: [{ Type: "Edited", Fields: [field] }] }), job(5), job(5)),
  ).toBeTrue();
  expect(differs({ Type: "Edited", TaskGroups: [{ Type: "Deleted", Name: "low" }] }, job(5), job(5))).toBeTrue();
  expect(differs({ Type: "Added" }, job(5), job(5))).toBeTrue();
  expect(differs({ Type: "None" }, job(5), job(5))).toBeFalse();
});
