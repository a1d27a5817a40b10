import { expect, test } from "bun:test";
import { keepCounts } from "./submit.ts";

const job = (counts: Record<string, number>) => ({
  ID: "workers",
  Type: "service",
  TaskGroups: Object.entries(counts).map(([Name, Count]) => ({ Name, Count })),
});

test("keeps counts of the cluster and adds new groups", () => {
  expect(keepCounts(job({ high: 1, low: 1, default: 1 }), job({ high: 5, low: 0 }))).toEqual(
    job({ high: 5, low: 0, default: 1 }),
  );
});

test("drops groups that the file dropped", () => {
  expect(keepCounts(job({ all: 3 }), job({ high: 5 }))).toEqual(job({ all: 3 }));
});
