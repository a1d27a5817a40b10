import { hkdfSync } from "node:crypto";
import { deriveRing } from "../../core/key_ring.ts";

/*
 * Secrets of one shard, derived from roots that no shard ever holds: clients of the shards hold the token's root,
 * operators the one of the keys. A shard cannot compute what another shard was given.
 */

/** The bearer token of one shard's internal API. */
export function shardToken(root: string, shard: number): string {
  return Buffer.from(hkdfSync("sha256", root, "", `prosaas shard token ${shard}`, 32)).toString("base64url");
}

/** AUTH_KEYS of one shard: each key of the root ring, derived for the shard, under the same id. */
export function shardKeys(rootRing: string, shard: number): string {
  return deriveRing(rootRing, `shard keys ${shard}`);
}
