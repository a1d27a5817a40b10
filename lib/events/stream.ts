import { z } from "zod";
import { jsonOrUndefined } from "../core/json.ts";

/** An event of a business as live streams carry it. */
const liveEvent = z.object({
  business_id: z.string(),
  /** A name of the catalogue. A reader may meet names that a newer version added. */
  event: z.string(),
  at: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()),
});
export type LiveEvent = z.infer<typeof liveEvent>;

/** An event with its stream id; ids rise. */
export type StreamedEvent = LiveEvent & { id: string };

/** The braces keep all keys in one slot of a Redis Cluster, which a script demands. */
export const streamPrefix = "prosaas:{events}:";
export const allEvents = `${streamPrefix}all`;
export const eventsOf = (businessId: string): string => `${streamPrefix}${businessId}`;
/** Hash: bytes of each stream by its name, and "total", "horizon" and "gap"; see publish_events.lua. */
export const tallyKey = `${streamPrefix}tally`;
/** Sorted set: businesses by the time of their last event. */
export const recentKey = `${streamPrefix}recent`;

export type StreamLimits = {
  /** The stream of all businesses. */
  all: { entries: number; bytes: number };
  /** The stream of one business. */
  business: { entries: number; bytes: number };
  /** The streams of all businesses together; the least recently active one is dropped first. */
  totalBytes: number;
  /** Age at which an entry is removed. */
  keptMs: number;
};

/**
 * 32 MB at most, a sixteenth of the maxmemory of the shipped Redis job. 20,000 entries are half an hour at ten events
 * a second; 1,000 of one business are more than a page of the console shows.
 */
export const limits: StreamLimits = {
  all: { entries: 20_000, bytes: 8 * 1024 * 1024 },
  business: { entries: 1_000, bytes: 256 * 1024 },
  totalBytes: 24 * 1024 * 1024,
  keptMs: 24 * 3_600_000,
};

export const idForm = /^\d{1,15}-\d{1,15}$/;

/** True if id `a` comes after `b`. */
export function isAfter(a: string, b: string): boolean {
  const [aMs, aSeq] = a.split("-").map(BigInt) as [bigint, bigint];
  const [bMs, bSeq] = b.split("-").map(BigInt) as [bigint, bigint];
  return aMs === bMs ? aSeq > bSeq : aMs > bMs;
}

/** Parses an entry of a stream as ioredis gives it; undefined for what is no event of ours. */
export function placed([id, fields]: [string, string[]]): StreamedEvent | undefined {
  if (fields[0] !== "event") return undefined;
  const parsed = liveEvent.safeParse(jsonOrUndefined(fields[1] ?? ""));
  return parsed.success ? { id, ...parsed.data } : undefined;
}

/** Marks in the stream of all that events were dropped before it. */
export function isGap([, fields]: [string, string[]]): boolean {
  return fields[0] === "gap";
}
