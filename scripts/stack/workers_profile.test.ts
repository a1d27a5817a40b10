import { expect, test } from "bun:test";
import { profileOf } from "./workers_profile.ts";

const job = (...names: string[]) => ({
  ID: "workers",
  Type: "service",
  TaskGroups: names.map((Name) => ({ Name, Count: 1 })),
});

test("a job's groups tell its profile; on the way from one to the other it has none", () => {
  expect(profileOf(job("default", "high", "low"))).toBe("groups");
  expect(profileOf(job("all"))).toBe("single");
  expect(profileOf(job("default", "high", "low", "all"))).toBeNull();
});
