import type { Redis } from "ioredis";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";
import { answerOf } from "../../../lib/redis/errors.ts";

/** A request to place a call, by the key that its business gave it. */
export type Placing = { businessId: string; from: string; to: string; key: string };

/**
 * Remembers what came of requests to place a call, for a day: the same one again places no second call. Redis has
 * them, so one that is lost forgets them, as it forgets the calls.
 */
export type Placings = {
  /** Takes the key; the call's sid where the request was made before. Throws "conflict" while it is under way, "idempotency_mismatch" for another request. */
  begin(placing: Placing): Promise<string | null>;
  placed(placing: Placing, callSid: string): Promise<void>;
  /** Nothing came of it: the key is free again. */
  forget(placing: Placing): Promise<void>;
};

const remembered = z.object({ fingerprint: z.string(), call_sid: z.string().nullable() });

export function createPlacings({
  redis,
  keptMs = 24 * 3_600_000,
  prefix = "prosaas:{calls}",
}: {
  redis: Redis;
  keptMs?: number;
  prefix?: string;
}): Placings {
  const nameOf = ({ businessId, key }: Placing) => `${prefix}:placing:${businessId}:${sha256Hex(key)}`;
  const valueOf = ({ from, to }: Placing, callSid: string | null) =>
    JSON.stringify({ fingerprint: `${from} ${to}`, call_sid: callSid });
  return {
    begin: async (placing) => {
      const value = await answerOf(redis.set(nameOf(placing), valueOf(placing, null), "PX", keptMs, "NX", "GET"));
      if (value === null) return null;
      const before = remembered.parse(JSON.parse(value));
      if (before.fingerprint !== `${placing.from} ${placing.to}`) {
        throw new AppError(
          "idempotency_mismatch",
          "This idempotency key came with another call before; use a new key for a new call.",
        );
      }
      if (before.call_sid !== null) return before.call_sid;
      throw new AppError(
        "conflict",
        "This call is being placed, or the carrier never said whether it was; look at the business's calls.",
      );
    },
    placed: async (placing, callSid) => {
      await answerOf(redis.set(nameOf(placing), valueOf(placing, callSid), "PX", keptMs));
    },
    forget: async (placing) => {
      await answerOf(redis.del(nameOf(placing)));
    },
  };
}
