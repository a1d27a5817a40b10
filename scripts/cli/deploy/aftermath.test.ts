import { describe as group, expect, test } from "bun:test";
import { describe, sortAftermath } from "./aftermath.ts";
import type { JobPlan } from "./plan.ts";

const plan = (job: string, action: JobPlan["action"]): JobPlan => ({
  job,
  action,
  parts: [],
  counts: {},
  release: { from: "0a", to: "1b" },
  version: 1,
});

group("the aftermath of a failed deploy", () => {
  const planned = ["workers", "api", "nginx", "redis"].map((job) => plan(job, "change"));
  const after = [plan("workers", "none"), plan("api", "change"), plan("nginx", "change"), plan("redis", "resume")];
  const sorted = sortAftermath(planned, after);

  test("separates reverted, changed and broken jobs", () => {
    expect(sorted).toEqual({ kept: ["workers"], former: ["api", "nginx"], broken: ["redis"] });
  });

  test("says what to do", () => {
    const text = describe("deploy", sorted);
    expect(text).toContain("On the release before, with their counts: api, nginx.");
    expect(text).toContain("Changed and healthy: workers.");
    expect(text).toContain("task logs -- redis --level error");
    expect(text).toContain("task rollback");
  });
});
