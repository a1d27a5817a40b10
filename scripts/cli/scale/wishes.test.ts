import { describe, expect, test } from "bun:test";
import { parseWishes } from "./wishes.ts";

describe("a plan", () => {
  test("is YAML or JSON and may be partial", () => {
    expect(parseWishes("shards: 3\nworkers:\n  high: 2\ncalls:\n  max_concurrent: 80\n")).toEqual({
      shards: 3,
      workers: { high: 2 },
      calls: { max_concurrent: 80 },
    });
    expect(parseWishes('{"api": 4}')).toEqual({ api: 4 });
  });

  test("names every fault, including misspelt names", () => {
    for (const fault of ["shard", "api", "workers"]) {
      expect(() => parseWishes("shard: 3\napi: 0\nworkers: {urgent: 1}")).toThrow(fault);
    }
    expect(() => parseWishes("{}")).toThrow("names nothing");
    expect(() => parseWishes("- 1")).toThrow("the file");
  });
});
