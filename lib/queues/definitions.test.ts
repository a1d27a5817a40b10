import { describe, expect, test } from "bun:test";
import { Slots } from "../runtime/slots.ts";
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

describe("groups", () => {
  test("serve every queue exactly once", () => {
    for (const name of queueNames) {
      const serving = groups.filter((group) => queuesOf(group).includes(name));
      expect(serving, name).toEqual([queues[name].group]);
    }
  });

  test("the profile all serves every queue", () => {
    expect(queuesOf("all")).toEqual(queueNames);
  });

  test("serve the queues of the design", () => {
    expect(queuesOf("high")).toEqual(["high"]);
    expect(queuesOf("default")).toEqual(["default", "receipts", "receipts_sync"]);
    expect(queuesOf("low")).toEqual(["low", "maintenance", "broadcasts", "media", "recordings"]);
    expect(profiles).toEqual(["high", "default", "low", "all"]);
  });
});

test("two businesses never hold every slot of media", () => {
  const { concurrency, businessShare, reservedSlots } = definitionOf("media");
  const slots = new Slots({ total: concurrency, share: businessShare!, reserved: reservedSlots! });
  for (const business of ["a", "b", "a", "b"]) slots.take(business);
  expect(slots.take("c")).toBeNull();
});

describe("jobs", () => {
  test("belong to one queue each", () => {
    const owners = queueNames.flatMap((name) => Object.keys(queues[name].jobs));
    expect(owners.toSorted()).toEqual([...new Set(owners)].toSorted());
    expect(jobDefinition("send").queue).toBe("high");
    expect(isJobOf("high", "send")).toBeTrue();
    expect(isJobOf("low", "send")).toBeFalse();
    expect(isJobOf("high", "toString")).toBeFalse();
  });

  test("refuse unknown fields in the payload", () => {
    const business_id = "01900000-0000-7000-8000-000000000000";
    expect(jobDefinition("send").schema.safeParse({ business_id }).success).toBeTrue();
    expect(jobDefinition("send").schema.safeParse({ business_id, text: "hello" }).success).toBeFalse();
    expect(jobDefinition("inbound").schema.safeParse({ shard: 0 }).success).toBeFalse();
  });

  test("accept the payloads of their schedules", () => {
    for (const { job, payload } of schedules) {
      expect(jobNames).toContain(job);
      expect(jobDefinition(job).schema.safeParse(payload).success, job).toBeTrue();
    }
  });
});

test("every queue has consistent limits", () => {
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
