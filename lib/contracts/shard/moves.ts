import { z } from "zod";
import { bytesOf, createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/*
 * The protocol that moves a business's login from one shard to another. The mover calls both:
 *
 *   source                                        target
 *   stop        closes the session, refuses it
 *                                                 key      creates a key pair for this move
 *   bundle      returns the login, sealed    ───▶ take     stores it, sealed
 *               for that key
 *   tombstone   never opens the login again
 *                                                 open     opens the login as its own
 *   reopen      (instead of a tombstone)          discard  (instead of open)
 *
 * Every order is idempotent. Every order names the move and its fence, a number that grows with each move of the
 * business. A shard rejects an order with a lower fence than the highest it has seen, as a conflict.
 */

/** Media type of a bundle, which is sealed for its move and its receiver. */
export const bundleType = "application/vnd.prosaas.bundle";

export const moveOrder = z.strictObject({
  move_id: z.uuid(),
  fence: z.int().min(1),
  from: z.int().min(1),
  to: z.int().min(1),
});
export type MoveOrder = z.infer<typeof moveOrder>;

/** The order as a query string, for requests with a bundle as their body or without a body. */
export const moveOrderQuery = z.strictObject({
  move_id: z.uuid(),
  fence: z.coerce.number().int().min(1),
  from: z.coerce.number().int().min(1),
  to: z.coerce.number().int().min(1),
});

/** The public half of a move's X25519 key, base64url. */
const moveKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be base64url of 32 bytes");

/** The query of a bundle request: the order, and the key to seal the bundle for. */
export const bundleQuery = moveOrderQuery.extend({ key: moveKey });

export const offered = z.object({ key: moveKey });

/** SHA-256 of a bundle, hexadecimal. */
export const checksum = z.string().regex(/^[0-9a-f]{64}$/);

export const stopped = z.object({
  /** The business's journal entries that Postgres has not confirmed. */
  journal: z.int().min(0),
});
export type Stopped = z.infer<typeof stopped>;

export const taken = z.object({ checksum });

/** The state on one shard of a business that has ever been moved. */
export const placement = z.object({
  business_id: z.uuid(),
  /**
   * "leaving": stopped but still here. "gone": the tombstone. "arriving": stored, still sealed. "here": opened, or
   * reopened after a cancelled move.
   */
  state: z.enum(["leaving", "gone", "arriving", "here"]),
  move_id: z.uuid(),
  fence: z.int().min(1),
  /** The other shard. */
  peer: z.int().min(1),
});
export type Placement = z.infer<typeof placement>;

/** The state that an operator must check before removing a shard. */
export const departures = z.object({
  data: z.array(placement),
  /** Journal entries, in all streams, that Postgres has not confirmed. */
  journal: z.int().min(0),
});
export type Departures = z.infer<typeof departures>;

/** The mover's client. Its methods throw `AppError` as `ShardClient` does, and "conflict" for an outdated order. */
export interface ShardMoves {
  stop(at: ShardLocation, businessId: string, order: MoveOrder): Promise<Stopped>;
  /** Requests the target's key to seal the bundle for. A later request replaces the key. */
  key(at: ShardLocation, businessId: string, order: MoveOrder): Promise<string>;
  bundle(at: ShardLocation, businessId: string, order: MoveOrder, key: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Uploads the bundle. Returns the SHA-256 of the target's stored copy. */
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
  const order = (what: string) => async (at: ShardLocation, businessId: string, json: MoveOrder) => {
    await call(at, "POST", path(businessId, what), { json });
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
    tombstone: order("tombstone"),
    open: order("open"),
    reopen: order("reopen"),
    discard: order("discard"),
    departures: async (at) => jsonOf(at, departures, await call(at, "GET", "/moves")),
  };
}
