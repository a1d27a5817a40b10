import { describe, expect, test } from "bun:test";
import { RemovalAge } from "./removal_age.ts";

const hourMs = 60 * 60 * 1000;

function started(hasRemovals = false, snapshotAgoMs: number | null = 0) {
  let now = 0;
  const age = new RemovalAge({ hasRemovals, snapshotAgoMs, now: () => now });
  return { age, wait: (hours: number) => (now += hours * hourMs) };
}

describe("a removed login", () => {
  test("is due for a snapshot after a day", () => {
    const { age, wait } = started();
    wait(25);
    age.add([["gone", "journal", 1]]);
    expect(age.isDue).toBeFalse();
    age.add([["removed", "sessions", "b"]]);
    expect(age.isDue).toBeTrue();
    age.snapshotBegins()();
    wait(25);
    expect(age.isDue).toBeFalse();
  });

  test("is due again when removed during a snapshot", () => {
    const { age, wait } = started();
    const finished = age.snapshotBegins();
    age.add([["removed", "sessions", "b"]]);
    wait(23);
    finished();
    expect(age.isDue).toBeFalse();
    wait(2);
    expect(age.isDue).toBeTrue();
  });

  test("stays due when the snapshot fails", () => {
    const { age, wait } = started();
    age.add([["removed", "sessions", "b"]]);
    wait(25);
    age.snapshotBegins();
    expect(age.isDue).toBeTrue();
  });

  test("counts across restarts", () => {
    expect(started(true, 25 * hourMs).age.isDue).toBeTrue();
    expect(started(true, 23 * hourMs).age.isDue).toBeFalse();
    expect(started(false, 25 * hourMs).age.isDue).toBeFalse();
  });
});
