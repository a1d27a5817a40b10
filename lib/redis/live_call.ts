import type { Redis } from "ioredis";
import { z } from "zod";
import { toRedisError } from "./errors.ts";

/** Empty stands for null. */
const moment = z.preprocess((text) => (text === "" || text === null ? null : Number(text)), z.int().nonnegative().nullable());

const fields = z.object({
  business_id: z.string(),
  direction: z.enum(["inbound", "outbound"]),
  from: z.string(),
  to: z.string(),
  /** In the carrier's words. */
  status: z.string(),
  step: z.string(),
  stream: z.coerce.number().int().nonnegative(),
  /** Unix time in ms, as are the others. */
  started_at: z.coerce.number().int().nonnegative(),
  answered_at: moment,
});
const names = Object.keys(fields.shape);

export type LiveCall = z.output<typeof fields>;

/**
 * A call in progress as the calls service keeps it, for those who only look: the part of its hash that they may build
 * on. Undefined where there is none. Throws "unavailable" where Redis cannot be reached.
 */
export async function readLiveCall(redis: Redis, callSid: string, prefix = "prosaas:{calls}"): Promise<LiveCall | undefined> {
  const values = await redis.hmget(`${prefix}:call:${callSid}`, ...names).catch((error: unknown) => {
    throw toRedisError(error);
  });
  if (values[0] === null) return undefined;
  return fields.parse(Object.fromEntries(names.map((name, n) => [name, values[n]])));
}
