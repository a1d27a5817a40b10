import { describe, expect, test } from "bun:test";
import { compareCounts } from "./drift.ts";

const group = (job: string, name: string, count: number) => ({ job, group: name, count });

describe("compareCounts", () => {
  test("reports a scaled count with both numbers", () => {
    const cluster = [group("api", "api", 2), group("workers", "high", 3), group("workers", "low", 1)];
    const files = [group("api", "api", 2), group("workers", "high", 1), group("workers", "low", 1)];
    expect(compareCounts(cluster, files)).toEqual([{ what: "workers/high", cluster: 3, file: 1 }]);
  });

  test("reports a group that its file lacks", () => {
    expect(compareCounts([group("workers", "all", 1)], [])).toEqual([{ what: "workers/all", cluster: 1, file: 0 }]);
  });
});
