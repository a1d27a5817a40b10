import { describe, expect, test } from "bun:test";
import { GarbleWatch } from "./garble_watch.ts";

const fail = (watch: GarbleWatch, senders: string[], times: number) =>
  Array.from({ length: times }, (_, n) => watch.failed(senders[n % senders.length]!)).filter((rebuild) => rebuild)
    .length;

describe("a session that may be broken", () => {
  test("is rebuilt after many failures of several acquainted senders", () => {
    const watch = new GarbleWatch(() => 0);
    expect(fail(watch, ["a", "b", "c"], 19)).toBe(0);
    expect(watch.failed("a")).toBeTrue();
  });

  test("is not rebuilt for fewer senders", () => {
    expect(fail(new GarbleWatch(() => 0), ["a", "b"], 1000)).toBe(0);
  });

  test("is not rebuilt while anything is decrypted", () => {
    const watch = new GarbleWatch(() => 0);
    for (let n = 0; n < 100; n++) {
      expect(fail(watch, ["a", "b", "c"], 19)).toBe(0);
      watch.decrypted();
    }
  });

  test("is rebuilt ever more rarely", () => {
    let now = 0;
    const watch = new GarbleWatch(() => now);
    let rebuilds = 0;
    for (; now < 86_400_000; now += 1000) if (fail(watch, ["a", "b", "c"], 20) > 0) rebuilds += 1;
    expect(rebuilds).toBeGreaterThan(3);
    expect(rebuilds).toBeLessThan(12);
  });
});
