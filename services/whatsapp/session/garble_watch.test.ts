import { describe, expect, test } from "bun:test";
import { GarbleWatch } from "./garble_watch.ts";

const failure = (sender: string) => ({ sender, acquainted: true, isOwn: sender === "own" });
const fail = (watch: GarbleWatch, senders: string[], times: number) =>
  Array.from({ length: times }, (_, n) => watch.failed(failure(senders[n % senders.length]!))).filter(
    (rebuild) => rebuild,
  ).length;

describe("a session that may be broken", () => {
  test("is rebuilt after failures of contacts and own devices", () => {
    const watch = new GarbleWatch(() => 0);
    expect(fail(watch, ["a", "b", "own"], 19)).toBe(0);
    expect(watch.failed(failure("a"))).toBeTrue();
  });

  test("is not rebuilt for any number of contacts", () => {
    const contacts = Array.from({ length: 500 }, (_, n) => `${n}`);
    const watch = new GarbleWatch(() => 0);
    expect(fail(watch, contacts, 10_000)).toBe(0);
    // One message of an own device may fail for its own reason.
    expect(watch.failed(failure("own"))).toBeFalse();
  });

  test("is not rebuilt for fewer senders", () => {
    expect(fail(new GarbleWatch(() => 0), ["a", "own"], 1000)).toBe(0);
  });

  test("is not rebuilt for unacquainted senders", () => {
    const watch = new GarbleWatch(() => 0);
    const failures = Array.from({ length: 100 }, (_, n) =>
      watch.failed({ sender: `${n}`, acquainted: false, isOwn: n % 3 === 0 }),
    );
    expect(failures).not.toContain(true);
  });

  test("is not rebuilt while anything is decrypted", () => {
    const watch = new GarbleWatch(() => 0);
    for (let n = 0; n < 100; n++) {
      expect(fail(watch, ["a", "b", "own"], 19)).toBe(0);
      watch.decrypted();
    }
  });

  test("is rebuilt ever more rarely", () => {
    let now = 0;
    const watch = new GarbleWatch(() => now);
    let rebuilds = 0;
    for (; now < 86_400_000; now += 1000) if (fail(watch, ["a", "b", "own"], 20) > 0) rebuilds += 1;
    expect(rebuilds).toBeGreaterThan(3);
    expect(rebuilds).toBeLessThan(12);
  });
});
