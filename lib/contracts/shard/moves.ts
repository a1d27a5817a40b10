import { z } from "zod";
import { bytesOf, createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/*
 * How a business's login gets from one shard to another, as both ends parse it. The mover talks to both:
 *
 *   source                                        target
 *   stop        closes the session, refuses it
 *                                                 key      makes a key pair for this move
 *   bundle      gives out the login, sealed  ───▶ take     keeps it aside, unopened
 *               for that key
 *   tombstone   never opens it again
 *                                                 open     makes it its own
 *   reopen      (instead of a tombstone)          discard  (instead of open)
 *
 * Every order may be repeated. Every order names the move and its fence, a number that grows with each move of the
 * business: an order of an earlier move than the last one that the shard has heard of is refused as a conflict.
 */

/** Media type of a bundle: sealed for its move and its receiver. */
export const bundleType = "application/vnd.prosaas.bundle";

export const moveOrder = z.strictObject({
  move_id: z.uuid(),
  fence: z.int().min(1),
  from: z.int().min(1),
  to: z.int().min(1),
});
export type MoveOrder = z.infer<typeof moveOrder>;

/** The order in the query of a request whose body is a bundle, or that has none. */
export const moveOrderQuery = z.strictObject({
  move_id: z.uuid(),
  fence: z.coerce.number().int().min(1),
  from: z.coerce.number().int().min(1),
  to: z.coerce.number().int().min(1),
});

/** Base64url of the public half of a move's X25519 key. */
export const moveKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be base64url of 32 bytes");

/** What a bundle is asked with: the order, and the key it is sealed for. */
export const bundleQuery = moveOrderQuery.extend({ key: moveKey });

export const offered = z.object({ key: moveKey });

/** Hexadecimal SHA-256 of a bundle. */
export const checksum = z.string().regex(/^[0-9a-f]{64}$/);

export const stopped = z.object({
  /** Entries of the business in the shard's journal that Postgres does not have yet. */
  journal: z.int().min(0),
});
export type Stopped = z.infer<typeof stopped>;

export const taken = z.object({ checksum });

/** Where a business that was ever on the move stands on one shard. */
export const placement = z.object({
  business_id: z.uuid(),
  /**
   * "leaving": stopped here, and still here. "gone": the tombstone. "arriving": kept aside, unopened. "here": it has
   * come, or has come back.
   */
  state: z.enum(["leaving", "gone", "arriving", "here"]),
  move_id: z.uuid(),
  fence: z.int().min(1),
  /** The other shard. */
  peer: z.int().min(1),
});
export type Placement = z.infer<typeof placement>;

/** What of a shard an operator must know before it is taken away. */
export const departures = z.object({
  data: z.array(placement),
  /** Entries in all streams of the journal that Postgres does not have yet. */
  journal: z.int().min(0),
});
export type Departures = z.infer<typeof departures>;

/** Calls of a mover on a shard; they throw AppError as those of `ShardClient` do, and "conflict" for an order that is out of date. */
export interface ShardMoves {
  stop(at: ShardLocation, businessId: string, order: MoveOrder): Promise<Stopped>;
  /** Asks the target for the key that the bundle is to be sealed for. The last one that was given out counts. */
  key(at: ShardLocation, businessId: string, order: MoveOrder): Promise<string>;
  bundle(at: ShardLocation, businessId: string, order: MoveOrder, key: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Resolves with the SHA-256 of what is on the target's disk. */
  take(at: ShardLocation, businessId: string, order: MoveOrder, bundle: Uint8Array<ArrayBuffer>): Promise<string>;
  tombstone(at: ShardLocation, businessId: string, order: MoveOrder): Promise<void>;
  open(at: ShardLocation, businessId: string, order: MoveOrder): Promise<void>;
  reopen(at: ShardLocation, businessId: string, order: MoveOrder): Promise<void>;
  discard(at: ShardLocation, businessId: string, order: MoveOrder): Promise<void>;
  departures(at: ShardLocation): Promise<Departures>;
}

export function createShardMoves(options: ShardClientOptions): ShardMoves {
  const call = createShardCall(options);
  const path = (businessId: string, what: string) => `/moves/${encodeURIComponent(businessId)}/${what}`;
  const query = (order: Record<string, string | number>) =>
    new URLSearchParams(Object.entries(order).map(([name, value]) => [name, String(value)]));
  const tell = (what: string) => async (at: ShardLocation, businessId: string, order: MoveOrder) => {
    await call(at, "POST", path(businessId, what), { json: order });
  };
  return {
    stop: async (at, businessId, order) =>
      jsonOf(at, stopped, await call(at, "POST", path(businessId, "stop"), { json: order })),
    key: async (at, businessId, order) =>
      (await jsonOf(at, offered, await call(at, "POST", path(businessId, "key"), { json: order }))).key,
    bundle: async (at, businessId, order, key) =>
      bytesOf(at, await call(at, "GET", path(businessId, `bundle?${query({ ...order, key })}`))),
    take: async (at, businessId, order, bytes) => {
      const answer = await call(at, "PUT", path(businessId, `bundle?${query(order)}`), { bytes, type: bundleType });
      return (await jsonOf(at, taken, answer)).checksum;
    },
    tombstone: tell("tombstone"),
    open: tell("open"),
    reopen: tell("reopen"),
    discard: tell("discard"),
    departures: async (at) => jsonOf(at, departures, await call(at, "GET", "/moves")),
  };
}
