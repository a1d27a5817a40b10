/** The fields of a business that routing needs. `whatsapp_shard` is null before the first connect. */
export type Assignable = { id: string; whatsapp_shard: number | null };

export type Assignment =
  | { shard: number; by: "stored" | "hash" }
  /** The stored shard exceeds the number of shards. It is reported, never wrapped to another shard. */
  | { outOfRange: number };

// One shared buffer, because an allocation per lookup would dominate its cost. Each digest is read before the next.
const digest = new Uint8Array(16);
const words = new DataView(digest.buffer);

/** Computes `md5(business id) mod N + 1` over the whole 128-bit digest, so that SQL can compute the same. */
export function hashShard(businessId: string, numShards: number): number {
  Bun.MD5.hash(businessId, digest);
  let remainder = 0;
  for (let offset = 0; offset < 16; offset += 4) {
    // Stays below 2^53, so exact, for up to 2^21 shards.
    remainder = (remainder * 2 ** 32 + words.getUint32(offset)) % numShards;
  }
  return remainder + 1;
}

/** Returns the shard of a business: the stored one, else by hash. Pure. */
export function assign(business: Assignable, numShards: number): Assignment {
  const stored = business.whatsapp_shard;
  if (stored === null) return { shard: hashShard(business.id, numShards), by: "hash" };
  if (!Number.isInteger(stored) || stored < 1 || stored > numShards) return { outOfRange: stored };
  return { shard: stored, by: "stored" };
}
