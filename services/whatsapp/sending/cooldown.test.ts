import { describe, expect, test } from "bun:test";
import { backoffOf, Cooldown } from "./cooldown.ts";

describe("a cooldown", () => {
  test("grows with each refusal and is bounded", () => {
    let now = 0;
    const cooldown = new Cooldown({ firstMs: 1_000, maxMs: 60_000, now: () => now });
    expect(cooldown.isActive).toBeFalse();
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      cooldown.refused();
      waits.push(cooldown.waitMs);
      now += 60_000;
    }
    expect(waits[0]).toBeLessThanOrEqual(1_000);
    expect(waits.at(-1)!).toBeGreaterThan(waits[0]!);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    cooldown.succeeded();
    expect(cooldown.refused()).toBeLessThanOrEqual(1_000);
  });

  test("lasts as WhatsApp says, up to a day", () => {
    const cooldown = new Cooldown({ firstMs: 1, maxMs: 1, now: () => 0 });
    expect(cooldown.refused(90_000)).toBe(90_000);
    expect(cooldown.refused(10)).toBe(10);
    expect(cooldown.waitMs).toBe(90_000);
    expect(cooldown.refused(1e12)).toBe(86_400_000);
  });

  test.each([
    [503, 50, 15_000],
    [429, 20, 60_000],
  ])("counts a burst of %d as one refusal", (_code, burst, firstMs) => {
    let now = 0;
    const cooldown = new Cooldown({ firstMs, maxMs: 60 * firstMs, now: () => now });
    for (let i = 0; i < burst; i++) {
      cooldown.refused();
      now += 1;
    }
    expect(cooldown.waitMs).toBeLessThanOrEqual(firstMs);
    now += firstMs;
    expect(cooldown.isActive).toBeFalse();
    const seconds = Array.from({ length: 100 }, () => cooldown.refused());
    expect(Math.max(...seconds)).toBeGreaterThan(firstMs);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(2 * firstMs);
  });

  test("outlasts an answer that was in flight", () => {
    const cooldown = new Cooldown({ firstMs: 1_000, maxMs: 60_000, now: () => 0 });
    cooldown.refused();
    cooldown.succeeded();
    expect(cooldown.isActive).toBeTrue();
  });

  test.each([
    [{ backoff: "30" }, 30_000],
    [{ backoff: "0" }, undefined],
    [{ backoff: "-5" }, undefined],
    [{ backoff: "soon" }, undefined],
    [{}, undefined],
    [undefined, undefined],
  ])("reads WhatsApp's own wait from %p", (attrs, ms) => {
    expect(backoffOf(attrs as Record<string, string> | undefined)).toBe(ms);
  });
});
