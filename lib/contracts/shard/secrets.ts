import { hkdfSync } from "node:crypto";
import { deriveRing } from "../../core/key_ring.ts";

/*
 * Secrets of a shard, derived from roots that no shard holds: clients of the shards hold the root of the tokens,
 * operators the root of the keys. A shard cannot derive another shard's secrets.
 */

/** Derives the bearer token of a shard's internal API. */
export function shardToken(root: string, shard: number): string {
  return Buffer.from(hkdfSync("sha256", root, "", `prosaas shard token ${shard}`, 32)).toString("base64url");
}

/** Derives AUTH_KEYS of a shard: each key of the root ring, under the same id. */
export function shardKeys(rootRing: string, shard: number): string {
  return deriveRing(rootRing, `shard keys ${shard}`);
}
