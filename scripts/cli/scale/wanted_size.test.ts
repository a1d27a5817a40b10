import { describe, expect, test } from "bun:test";
import { parseWantedSize } from "./wanted_size.ts";

describe("a plan", () => {
  test("is YAML or JSON and may be partial", () => {
    expect(parseWantedSize("shards: 3\nworkers:\n  high: 2\ncalls:\n  max_concurrent: 80\n")).toEqual({
      shards: 3,
      workers: { high: 2 },
      calls: { max_concurrent: 80 },
    });
    expect(parseWantedSize('{"api": 4}')).toEqual({ api: 4 });
  });

  test("names every fault, including misspelt names", () => {
    for (const fault of ["shard", "api", "workers"]) {
      expect(() => parseWantedSize("shard: 3\napi: 0\nworkers: {urgent: 1}")).toThrow(fault);
    }
    expect(() => parseWantedSize("{}")).toThrow("names nothing");
    expect(() => parseWantedSize("- 1")).toThrow("the file");
  });
});
