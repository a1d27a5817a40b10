import { describe, expect, test } from "bun:test";
import { familyOf, keyFamilies } from "./key_families.ts";

describe("key families", () => {
  test("use less than 40 % of Redis in total", async () => {
    const job = await Bun.file(new URL("../../nomad/data/redis.nomad.hcl", import.meta.url)).text();
    const taskMb = Number(/variable "memory" \{[^}]*max = (\d+)/.exec(job)![1]);
    const [, times, over] = /MAXMEMORY_MB = floor\(var\.memory\.max \* (\d+) \/ (\d+)\)/.exec(job)!;
    const maxMemory = ((taskMb * Number(times)) / Number(over)) * 1024 * 1024;
    const fixed = keyFamilies.reduce((sum, { fixedBytes = 0 }) => sum + fixedBytes, 0);
    expect(fixed / maxMemory).toBeLessThan(0.4);
  });

  test("each have a bound in bytes", () => {
    for (const { owner, fixedBytes, bytesEach } of keyFamilies)
      expect(fixedBytes ?? bytesEach, owner).toBeGreaterThan(0);
  });

  test("match no foreign key", () => {
    for (const key of ["foreign:1", "prosaas:{events}:else", "prosaas:{calls}:other"])
      expect(familyOf(key), key).toBeUndefined();
  });
});
