import type { Redis } from "ioredis";
import { AppError } from "../../../lib/core/errors.ts";
import { answerOf } from "../../../lib/redis/errors.ts";
import { createScript } from "../../../lib/redis/script.ts";
import { callSchema, isOver } from "./call.ts";
import type { CallChanges, CallState, NewCall } from "./call.ts";
import beginCall from "./begin_call.lua" with { type: "text" };
import changeCall from "./change_call.lua" with { type: "text" };
import readCall from "./read_call.lua" with { type: "text" };
import staleCalls from "./stale_calls.lua" with { type: "text" };

const begin = createScript(beginCall);
const change = createScript(changeCall);
const read = createScript(readCall);
const stale = createScript(staleCalls);

/** A call and the time in ms by the Redis server's clock, which sets every time of a call. */
export type Seen<T> = { call: T; nowMs: number };

export type CallStore = {
  /** Stores a new call. Returns an existing call unchanged. */
  begin(call: NewCall): Promise<Seen<CallState> & { isNew: boolean }>;
  read(callSid: string): Promise<Seen<CallState | null>>;
  /**
   * Applies the changes that `decide` derives from the current state. If another replica changes the call in between,
   * `decide` runs again. Null from `decide` changes nothing. Returns the current call; null if there is no such call.
   */
  change(
    callSid: string,
    decide: (call: CallState, nowMs: number) => CallChanges | null,
  ): Promise<Seen<CallState> | null>;
  /** Changes a call if it still has the given version. Returns the current call and whether it was changed. */
  changeFrom(call: CallState, changes: CallChanges): Promise<Seen<CallState | null> & { changed: boolean }>;
  /** Marks the end of a call as written to Postgres, so that the sweep skips it. */
  written(callSid: string): Promise<void>;
  /** Lists calls that are not in Postgres yet and have not changed for this long, by their last change. */
  stale(silentMs: number, limit: number, first?: "oldest" | "newest"): Promise<{ callSid: string; heardAt: number }[]>;
  /** Returns the time of the last change of a call that is not in Postgres yet; null if there is no such call. */
  heardAt(callSid: string): Promise<number | null>;
};

export type CallStoreOptions = {
  redis: Redis;
  prefix?: string;
};

const hourMs = 3_600_000;
/** Lifetime of a call in progress. Longer than the longest time between two changes. */
const liveTtlMs = 25 * hourMs;
/** Lifetime of an ended call. Longer than the carrier retries its webhooks. */
const endedTtlMs = 2 * hourMs;
/** Conflicts are rare. More than a few in a row indicate a loop. */
const maxConflicts = 20;

export function createCallStore({ redis, prefix = "prosaas:{calls}" }: CallStoreOptions): CallStore {
  const keyOf = (callSid: string) => `${prefix}:call:${callSid}`;
  const unwritten = `${prefix}:unwritten`;
  const of = (businessId: string) => `${prefix}:of:${businessId}`;

  const readCall = async (callSid: string): Promise<Seen<CallState | null>> => {
    const [nowMs, fields] = (await read(redis, [keyOf(callSid)], [])) as [number, string[]];
    return { call: decode(fields), nowMs };
  };

  const changeFrom = async (call: CallState, changes: CallChanges) => {
    const over = isOver({ ...call, ...changes });
    const keys = [keyOf(call.call_sid), unwritten, of(call.business_id)];
    const args = [call.call_sid, call.version, over ? endedTtlMs : liveTtlMs, over ? 1 : 0, ...encode(changes)];
    const [done, nowMs, fields] = (await change(redis, keys, args)) as [number, number, string[]];
    return { changed: done === 1, nowMs, call: decode(fields) };
  };

  return {
    read: readCall,
    changeFrom,
    begin: async (call) => {
      const args = [call.call_sid, liveTtlMs, ...encode(call)];
      const keys = [keyOf(call.call_sid), unwritten, of(call.business_id)];
      const [isNew, nowMs, fields] = (await begin(redis, keys, args)) as [number, number, string[]];
      return { isNew: isNew === 1, nowMs, call: decode(fields)! };
    },
    change: async (callSid, decide) => {
      let seen = await readCall(callSid);
      for (let conflicts = 0; conflicts < maxConflicts; conflicts++) {
        const { call, nowMs } = seen;
        if (call === null) return null;
        const changes = decide(call, nowMs);
        if (changes === null) return { call, nowMs };
        const result = await changeFrom(call, changes);
        if (result.changed) return { call: result.call!, nowMs: result.nowMs };
        seen = result;
      }
      throw new AppError("unavailable", "Too many concurrent changes of the call. Retry.", { retryAfterS: 1 });
    },
    written: async (callSid) => {
      await answerOf(redis.zrem(unwritten, callSid));
    },
    stale: async (silentMs, limit, first = "oldest") => {
      const answer = (await stale(redis, [unwritten], [silentMs, limit, first])) as string[];
      return pairs(answer).map(([callSid, heardAt]) => ({ callSid, heardAt: Number(heardAt) }));
    },
    heardAt: async (callSid) => {
      const score = await answerOf(redis.zscore(unwritten, callSid));
      return score === null ? null : Number(score);
    },
  };
}

function encode(changes: CallChanges | NewCall): string[] {
  return Object.entries(changes)
    .filter(([, value]) => value !== undefined)
    .flatMap(([field, value]) => [field, value === null ? "" : String(value)]);
}

function decode(fields: string[]): CallState | null {
  if (fields.length === 0) return null;
  return callSchema.parse(Object.fromEntries(pairs(fields)));
}

function pairs(list: string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!]);
}
