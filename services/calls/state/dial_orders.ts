import type { Redis } from "ioredis";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";
import { answerOf } from "../../../lib/redis/errors.ts";

/** An order to dial a call, with its business's idempotency key. */
export type DialOrder = { businessId: string; from: string; to: string; key: string };

/**
 * Stores the outcome of orders by idempotency key for a day, so that a repeated order dials no second call. The keys
 * are in Redis, so losing Redis loses them together with the calls.
 */
export type DialOrders = {
  /**
   * Claims the key. Returns the call's sid if the order was already dialled.
   * @throws AppError "conflict" while the order is in flight, "idempotency_mismatch" for a different order.
   */
  claim(dialOrder: DialOrder): Promise<string | null>;
  dialled(dialOrder: DialOrder, callSid: string): Promise<void>;
  /** Releases the key of an order that dialled no call. */
  release(dialOrder: DialOrder): Promise<void>;
};

const stored = z.object({ fingerprint: z.string(), call_sid: z.string().nullable() });

export function createDialOrders({
  redis,
  keptMs = 24 * 3_600_000,
  prefix = "prosaas:{calls}",
}: {
  redis: Redis;
  keptMs?: number;
  prefix?: string;
}): DialOrders {
  const nameOf = ({ businessId, key }: DialOrder) => `${prefix}:placing:${businessId}:${sha256Hex(key)}`;
  const valueOf = ({ from, to }: DialOrder, callSid: string | null) =>
    JSON.stringify({ fingerprint: `${from} ${to}`, call_sid: callSid });
  return {
    claim: async (dialOrder) => {
      const value = await answerOf(redis.set(nameOf(dialOrder), valueOf(dialOrder, null), "PX", keptMs, "NX", "GET"));
      if (value === null) return null;
      const before = stored.parse(JSON.parse(value));
      if (before.fingerprint !== `${dialOrder.from} ${dialOrder.to}`) {
        throw new AppError(
          "idempotency_mismatch",
          "This idempotency key was used for a different call. Use a new key for a new call.",
        );
      }
      if (before.call_sid !== null) return before.call_sid;
      throw new AppError(
        "conflict",
        "A request with this idempotency key is in flight, or its outcome is unknown. Check the business's calls.",
      );
    },
    dialled: async (dialOrder, callSid) => {
      await answerOf(redis.set(nameOf(dialOrder), valueOf(dialOrder, callSid), "PX", keptMs));
    },
    release: async (dialOrder) => {
      await answerOf(redis.del(nameOf(dialOrder)));
    },
  };
}
