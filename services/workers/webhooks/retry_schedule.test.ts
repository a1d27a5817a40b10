import { describe, expect, test } from "bun:test";
import { nextAttempt } from "./retry_schedule.ts";

const hour = 3_600_000;
const expiresAt = new Date(24 * hour);

/** When each attempt is made, the first at 0, until it is dead. */
function attemptsMs(random: () => number, retryAfterMs?: number): number[] {
  const made = [0];
  for (;;) {
    const next = nextAttempt({ attempts: made.length, now: new Date(made.at(-1)!), expiresAt, retryAfterMs }, random);
    if (next === null) return made;
    made.push(next.getTime());
  }
}

describe("nextAttempt", () => {
  test("schedules twelve attempts within a day", () => {
    for (const random of [() => 0, () => 0.5, () => 1]) {
      const made = attemptsMs(random);
      expect(made).toHaveLength(12);
      expect(made.at(-1)!).toBeGreaterThan(19 * hour);
      expect(made.at(-1)!).toBeLessThan(24 * hour);
    }
  });

  test("increases the delays, with jitter", () => {
    const made = attemptsMs(() => 0.5);
    const waits = made.slice(1).map((at, i) => at - made[i]!);
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    const next = (random: number) => nextAttempt({ attempts: 1, now: new Date(0), expiresAt }, () => random)!.getTime();
    expect(next(1) - next(0)).toBeGreaterThan(500);
  });

  test("honours Retry-After up to an hour", () => {
    expect(nextAttempt({ attempts: 1, now: new Date(0), expiresAt, retryAfterMs: 60_000 })).toEqual(new Date(60_000));
    expect(nextAttempt({ attempts: 1, now: new Date(0), expiresAt, retryAfterMs: 9 * hour })).toEqual(new Date(hour));
    expect(nextAttempt({ attempts: 6, now: new Date(0), expiresAt, retryAfterMs: 1_000 })!.getTime()).toBeGreaterThan(
      hour / 3,
    );
  });

  test("schedules nothing past the expiry", () => {
    expect(nextAttempt({ attempts: 1, now: new Date(24 * hour - 1_000), expiresAt })).toBeNull();
  });
});
