import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { assign, hashShard } from "./assignment.ts";

// Deterministic: one in a thousand random sets would not spread evenly enough.
const ids = Array.from(
  { length: 10_000 },
  (_, n) => `0190b2a0-${n.toString(16).padStart(4, "0")}-7000-8000-0123456789ab`,
);

describe("hashShard", () => {
  test("is md5 mod N + 1 over the digest", () => {
    for (const id of ids.slice(0, 200)) {
      for (const n of [1, 2, 3, 7, 50, 10_000]) {
        const digest = BigInt(`0x${createHash("md5").update(id).digest("hex")}`);
        expect(hashShard(id, n)).toBe(Number(digest % BigInt(n)) + 1);
      }
    }
  });

  test("spreads 10,000 businesses to within 10 %", () => {
    for (const n of [2, 3, 5, 8]) {
      const counts = new Map<number, number>();
      for (const id of ids) counts.set(hashShard(id, n), (counts.get(hashShard(id, n)) ?? 0) + 1);
      expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, k) => k + 1));
      for (const count of counts.values()) expect(Math.abs(count / (ids.length / n) - 1)).toBeLessThan(0.1);
    }
  });

  test("is deterministic and in range", () => {
    const first = ids.map((id, k) => hashShard(id, (k % 97) + 1));
    for (const [k, id] of ids.entries()) {
      const n = (k % 97) + 1;
      hashShard(ids[ids.length - 1 - k]!, 13);
      expect(hashShard(id, n)).toBe(first[k]!);
      expect(first[k]! >= 1 && first[k]! <= n).toBeTrue();
    }
  });
});

describe("assign", () => {
  test("prefers the stored shard for any number of shards", () => {
    for (const n of [3, 5, 100]) expect(assign({ id: "b", whatsapp_shard: 3 }, n)).toEqual({ shard: 3, by: "stored" });
  });

  test("reports a stored shard out of range", () => {
    for (const stored of [0, -1, 4, 1.5])
      expect(assign({ id: "b", whatsapp_shard: stored }, 3)).toEqual({ outOfRange: stored });
  });
});
