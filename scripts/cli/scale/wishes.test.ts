import { expect, test } from "bun:test";
import { parseWishes } from "./wishes.ts";

test("a plan is YAML or JSON and may leave out what stays", () => {
  expect(parseWishes("shards: 3\nworkers:\n  high: 2\ncalls:\n  max_concurrent: 80\n")).toEqual({
    shards: 3,
    workers: { high: 2 },
    calls: { max_concurrent: 80 },
  });
  expect(parseWishes('{"api": 4}')).toEqual({ api: 4 });
});

test("every fault of a plan is named, and a misspelt name is one", () => {
  for (const fault of ["shard", "api", "workers"]) {
    expect(() => parseWishes("shard: 3\napi: 0\nworkers: {urgent: 1}")).toThrow(fault);
  }
  expect(() => parseWishes("{}")).toThrow("names nothing");
  expect(() => parseWishes("- 1")).toThrow("the file");
});
