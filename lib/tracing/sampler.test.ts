import { describe, expect, test } from "bun:test";
import { createSampler } from "./sampler.ts";
import type { SamplerName } from "./sampler.ts";

/** The draws of a sampler repeat 0, 0.01, … 0.99. */
function samplerOf(name: SamplerName, ratio: number) {
  const clock = { ms: 0 };
  let draws = 0;
  const sampler = createSampler(name, ratio, { random: () => (draws++ % 100) / 100, now: () => clock.ms });
  const taken = (times: number, take: () => boolean) => Array.from({ length: times }, take).filter(Boolean).length;
  return { clock, sampler, taken };
}

describe("a new trace", () => {
  test.each([
    ["always_on", 1_000],
    ["parentbased_always_on", 1_000],
    ["always_off", 0],
    ["parentbased_always_off", 0],
    ["traceidratio", 50],
    ["parentbased_traceidratio", 50],
  ] as const)("is taken by %s %d times of 1,000", (name, times) => {
    const { sampler, taken } = samplerOf(name, 0.05);
    expect(taken(1_000, () => sampler.takesNew())).toBe(times);
  });
});

describe("a caller's trace", () => {
  test("follows the caller's flag if it is parent-based", () => {
    const { sampler, taken } = samplerOf("parentbased_always_off", 0);
    expect(taken(5, () => sampler.takesCallers(true))).toBe(5);
    expect(taken(5, () => sampler.takesCallers(false))).toBe(0);
  });

  test("cannot have everything sampled", () => {
    const { clock, sampler, taken } = samplerOf("parentbased_traceidratio", 0.05);
    // The ratio's 500 of 10,000, and the share at once.
    expect(taken(10_000, () => sampler.takesCallers(true))).toBeWithin(500, 511);
    clock.ms += 3_000;
    expect(taken(10_000, () => sampler.takesCallers(true))).toBeWithin(500, 504);
    clock.ms += 3_600_000;
    expect(taken(10_000, () => sampler.takesCallers(true))).toBeWithin(500, 511);
  });

  test("is drawn by chance, not by its id", () => {
    const { sampler, taken } = samplerOf("traceidratio", 0.05);
    expect(taken(1_000, () => sampler.takesCallers(true))).toBe(50);
    expect(taken(1_000, () => sampler.takesCallers(false))).toBe(50);
  });
});
