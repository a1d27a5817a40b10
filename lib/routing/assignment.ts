/** The parts of a business that its routing depends on. `whatsapp_shard` is the stored assignment, from 1; null before the first connect. */
export type Assignable = { id: string; whatsapp_shard: number | null };

export type Assignment =
  | { shard: number; by: "stored" | "hash" }
  /** The stored shard does not exist with this many shards: reported, never wrapped to another. */
  | { outOfRange: number };

// One digest at a time is made and read before the next: a buffer for each would be most of what a lookup costs.
const digest = new Uint8Array(16);
const words = new DataView(digest.buffer);

/** `md5(business id) mod N + 1` over the whole 128-bit digest, so that SQL and others can compute the same. */
export function hashShard(businessId: string, numShards: number): number {
  Bun.MD5.hash(businessId, digest);
  let remainder = 0;
  for (let offset = 0; offset < 16; offset += 4) {
    // Exact below 2^53 for up to 2^21 shards.
    remainder = (remainder * 2 ** 32 + words.getUint32(offset)) % numShards;
  }
  return remainder + 1;
}

/** Which shard a business belongs to: the stored one, else by hash. Pure. */
export function assign(business: Assignable, numShards: number): Assignment {
  const stored = business.whatsapp_shard;
  if (stored === null) return { shard: hashShard(business.id, numShards), by: "hash" };
  if (!Number.isInteger(stored) || stored < 1 || stored > numShards) return { outOfRange: stored };
  return { shard: stored, by: "stored" };
}
