import type { Redis } from "ioredis";
import { z } from "zod";
import { answerOf } from "../redis/errors.ts";

/** Empty stands for null. */
const moment = z.preprocess(
  (text) => (text === "" || text === null ? null : Number(text)),
  z.int().nonnegative().nullable(),
);

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
export async function readLiveCall(
  redis: Redis,
  callSid: string,
  prefix = "prosaas:{calls}",
): Promise<LiveCall | undefined> {
  const values = await answerOf(redis.hmget(`${prefix}:call:${callSid}`, ...names));
  if (values[0] === null) return undefined;
  return fields.parse(Object.fromEntries(names.map((name, n) => [name, values[n]])));
}

/**
 * Calls of a business in progress, the latest to begin first; at most `limit`. Throws "unavailable" where Redis cannot
 * be reached.
 */
export async function listLiveCalls(
  redis: Redis,
  businessId: string,
  limit: number,
  prefix = "prosaas:{calls}",
): Promise<(LiveCall & { call_sid: string })[]> {
  const set = `${prefix}:of:${businessId}`;
  const sids = await answerOf(redis.zrevrange(set, 0, limit - 1));
  const calls = await Promise.all(
    sids.map(async (call_sid) => ({ call_sid, call: await readLiveCall(redis, call_sid, prefix) })),
  );
  // The set is kept for longer than a call that nobody changed any more: what names nothing goes.
  const gone = calls.filter(({ call }) => call === undefined).map(({ call_sid }) => call_sid);
  if (gone.length > 0) await answerOf(redis.zrem(set, ...gone));
  return calls.flatMap(({ call_sid, call }) =>
    call === undefined || call.step === "ended" ? [] : [{ call_sid, ...call }],
  );
}
