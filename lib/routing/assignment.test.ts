import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { assign, hashShard } from "./assignment.ts";

// The same at every run: of random ones, one set in a thousand does not spread as evenly.
const ids = Array.from(
  { length: 10_000 },
  (_, n) => `0190b2a0-${n.toString(16).padStart(4, "0")}-7000-8000-0123456789ab`,
);

test("the hash is md5 mod N + 1 over the whole digest", () => {
  for (const id of ids.slice(0, 200)) {
    for (const n of [1, 2, 3, 7, 50, 10_000]) {
      const digest = BigInt(`0x${createHash("md5").update(id).digest("hex")}`);
      expect(hashShard(id, n)).toBe(Number(digest % BigInt(n)) + 1);
    }
  }
});

test("ten thousand businesses spread to within ten percent", () => {
  for (const n of [2, 3, 5, 8]) {
    const counts = new Map<number, number>();
    for (const id of ids) counts.set(hashShard(id, n), (counts.get(hashShard(id, n)) ?? 0) + 1);
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, k) => k + 1));
    for (const count of counts.values()) expect(Math.abs(count / (ids.length / n) - 1)).toBeLessThan(0.1);
  }
});

test("the same business and number of shards give the same shard, in range, whatever was asked between", () => {
  const first = ids.map((id, k) => hashShard(id, (k % 97) + 1));
  for (const [k, id] of ids.entries()) {
    const n = (k % 97) + 1;
    hashShard(ids[ids.length - 1 - k]!, 13);
    expect(hashShard(id, n)).toBe(first[k]!);
    expect(first[k]! >= 1 && first[k]! <= n).toBeTrue();
  }
});

test("a stored shard counts first, and a later number of shards moves nobody", () => {
  for (const n of [3, 5, 100]) expect(assign({ id: "b", whatsapp_shard: 3 }, n)).toEqual({ shard: 3, by: "stored" });
});

test("a stored shard that does not exist is reported, never wrapped", () => {
  for (const stored of [0, -1, 4, 1.5])
    expect(assign({ id: "b", whatsapp_shard: stored }, 3)).toEqual({ outOfRange: stored });
});
