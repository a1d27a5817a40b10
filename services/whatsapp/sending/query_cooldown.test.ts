import { describe, expect, test } from "bun:test";
import type { Transient } from "./errors.ts";
import { QueryCooldown } from "./query_cooldown.ts";

const refused = (code: number) => Object.assign(new Error("rate-overlimit"), { data: code });

describe("the cooldown of queries", () => {
  test("grows with each refusal and is bounded", () => {
    let now = 0;
    const cooldown = new QueryCooldown(() => now);
    expect(() => cooldown.refuse()).not.toThrow();
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      cooldown.failed(refused(429));
      try {
        cooldown.refuse();
      } catch (error) {
        waits.push((error as Transient).waitMs);
      }
      now += 60_000;
    }
    expect(waits).toHaveLength(12);
    expect(waits.at(-1)!).toBeGreaterThan(waits[0]!);
    expect(Math.max(...waits)).toBeLessThanOrEqual(15_000);
    expect(cooldown.isActive).toBeFalse();
  });

  test("ignores other errors", () => {
    const cooldown = new QueryCooldown(() => 0);
    for (const error of [new Error("x"), refused(404), undefined, { data: "429" }]) cooldown.failed(error);
    expect(cooldown.isActive).toBeFalse();
  });
});
