import { describe, expect, test } from "bun:test";
import { differences } from "./plan_diff.ts";
import type { Diff } from "./plan_diff.ts";

const job = (target: number, enabled: boolean | null = true) => ({
  ID: "workers",
  Type: "service",
  TaskGroups: [
    { Name: "high", Count: 1, Scaling: { Min: 1, Max: 20, Enabled: enabled, Policy: { cooldown: "1m", target } } },
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

describe("differences", () => {
  test("compares scaling policies, whatever Nomad calls them", () => {
    expect(differences(hollow(sameTask), job(5), job(5))).toEqual([]);
    expect(differences(hollow(sameTask), job(5), job(10))).toEqual(["high/Scaling"]);
    expect(differences(hollow(sameTask), job(5, null), job(5))).toEqual([]);
    expect(differences(hollow(sameTask), job(5, false), job(5))).toEqual(["high/Scaling"]);
  });

  test("names every other edit, addition and deletion", () => {
    const field: Diff = { Type: "Edited", Name: "MemoryMB" };
    const task: Diff = {
      Type: "Edited",
      Name: "worker",
      Fields: [{ Type: "None", Name: "User" }],
      Objects: [{ Type: "Edited", Name: "Resources", Fields: [field] }],
    };
    expect(differences(hollow(task), job(5), job(5))).toEqual(["high/worker/Resources/MemoryMB"]);
    const deleted: Diff = { Type: "Deleted", Name: "low", Fields: [{ Type: "Deleted", Name: "Count" }] };
    expect(differences({ Type: "Edited", TaskGroups: [deleted] }, job(5), job(5))).toEqual(["low"]);
    expect(differences({ Type: "Added" }, job(5), job(5))).toEqual(["job"]);
  });

  test("names a replaced part once", () => {
    const replaced = ["Deleted", "Added"].map((Type): Diff => ({ Type, Name: "Template" }));
    expect(differences(hollow({ Type: "Edited", Name: "worker", Objects: replaced }), job(5), job(5))).toEqual([
      "high/worker/Template",
    ]);
  });

  test("is empty for an unchanged job", () => {
    expect(differences({ Type: "None" }, job(5), job(5))).toEqual([]);
  });
});
