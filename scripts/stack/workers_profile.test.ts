import { expect, test } from "bun:test";
import { profileOf } from "./workers_profile.ts";

const job = (...names: string[]) => ({
  ID: "workers",
  Type: "service",
  TaskGroups: names.map((Name) => ({ Name, Count: 1 })),
});

test("derives a profile from the groups of a job", () => {
  expect(profileOf(job("default", "high", "low"))).toBe("groups");
  expect(profileOf(job("all"))).toBe("single");
  expect(profileOf(job("default", "high", "low", "all"))).toBeNull();
});
