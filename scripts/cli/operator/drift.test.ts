import { expect, test } from "bun:test";
import { compareCounts } from "./drift.ts";

const group = (job: string, name: string, count: number) => ({ job, group: name, count });

test("a count that was scaled away from the file is named with both numbers, and one that agrees is not", () => {
  const cluster = [group("api", "api", 2), group("workers", "high", 3), group("workers", "low", 1)];
  const files = [group("api", "api", 2), group("workers", "high", 1), group("workers", "low", 1)];
  expect(compareCounts(cluster, files)).toEqual([{ what: "workers/high", cluster: 3, file: 1 }]);
});

test("a group that its file does not have any more is drift", () => {
  expect(compareCounts([group("workers", "all", 1)], [])).toEqual([{ what: "workers/all", cluster: 1, file: 0 }]);
});
