import { expect, test } from "bun:test";
import {
  definitionOf,
  groups,
  isJobOf,
  jobDefinition,
  jobNames,
  profiles,
  queueNames,
  queues,
  queuesOf,
  schedules,
} from "./definitions.ts";

test("every queue is served by exactly one group", () => {
  for (const name of queueNames) {
    const serving = groups.filter((group) => queuesOf(group).includes(name));
    expect(serving, name).toEqual([queues[name].group]);
  }
});

test("the profile all serves every queue", () => {
  expect(queuesOf("all")).toEqual(queueNames);
});

test("the nine queues are served by the groups of the plan", () => {
  expect(queuesOf("high")).toEqual(["high"]);
  expect(queuesOf("default")).toEqual(["default", "receipts", "receipts_sync"]);
  expect(queuesOf("low")).toEqual(["low", "maintenance", "broadcasts", "media", "recordings"]);
  expect(profiles).toEqual(["high", "default", "low", "all"]);
});

test("a job's name belongs to one queue only", () => {
  const owners = queueNames.flatMap((name) => Object.keys(queues[name].jobs));
  expect(owners.toSorted()).toEqual([...new Set(owners)].toSorted());
  expect(jobDefinition("send").queue).toBe("high");
  expect(isJobOf("high", "send")).toBeTrue();
  expect(isJobOf("low", "send")).toBeFalse();
  expect(isJobOf("high", "toString")).toBeFalse();
});

test("a payload holds ids and nothing else: unknown fields are refused", () => {
  const business_id = "01900000-0000-7000-8000-000000000000";
  expect(jobDefinition("send").schema.safeParse({ business_id }).success).toBeTrue();
  expect(jobDefinition("send").schema.safeParse({ business_id, text: "hello" }).success).toBeFalse();
  expect(jobDefinition("inbound").schema.safeParse({ shard: 0 }).success).toBeFalse();
});

test("every schedule's payload satisfies its job", () => {
  for (const { job, payload } of schedules) {
    expect(jobNames).toContain(job);
    expect(jobDefinition(job).schema.safeParse(payload).success, job).toBeTrue();
  }
});

test("no run may outlast the patience of its queue's numbers", () => {
  for (const name of queueNames) {
    const { concurrency, attempts, backoff, timeoutMs, deadLetters } = queues[name];
    expect(Math.min(concurrency, attempts, backoff.baseMs, timeoutMs, deadLetters.count), name).toBeGreaterThan(0);
    expect(backoff.maxMs, name).toBeGreaterThan(backoff.baseMs);
    for (const [job, share] of Object.entries(definitionOf(name).shares ?? {})) {
      expect(isJobOf(name, job), job).toBeTrue();
      expect(share, job).toBeLessThan(concurrency);
    }
  }
});
