import type { Redis } from "ioredis";
import { z } from "zod";
import { answerOf } from "../redis/errors.ts";

/** Unix time in ms. Redis stores null as an empty string. */
const timestamp = z.preprocess(
  (text) => (text === "" || text === null ? null : Number(text)),
  z.int().nonnegative().nullable(),
);

const fields = z.object({
  business_id: z.string(),
  direction: z.enum(["inbound", "outbound"]),
  from: z.string(),
  to: z.string(),
  /** The carrier's status. */
  status: z.string(),
  step: z.string(),
  stream: z.coerce.number().int().nonnegative(),
  /** Unix time in ms. */
  started_at: z.coerce.number().int().nonnegative(),
  answered_at: timestamp,
});
const names = Object.keys(fields.shape);

export type LiveCall = z.output<typeof fields>;

/**
 * Reads a call in progress: the fields of the calls service's hash that other services may rely on. Undefined if there
 * is no such call.
 * @throws AppError "unavailable" if Redis cannot be reached.
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
 * Lists at most `limit` calls of a business that are in progress, latest first.
 * @throws AppError "unavailable" if Redis cannot be reached.
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
  // The set outlives an abandoned call, whose hash expires. Remove its entry here.
  const gone = calls.filter(({ call }) => call === undefined).map(({ call_sid }) => call_sid);
  if (gone.length > 0) await answerOf(redis.zrem(set, ...gone));
  return calls.flatMap(({ call_sid, call }) =>
    call === undefined || call.step === "ended" ? [] : [{ call_sid, ...call }],
  );
}
