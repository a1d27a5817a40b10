import { z } from "zod";

/** Something that happened to a business. */
export const liveEvent = z.object({
  business_id: z.string(),
  /** Such as "message.delivered": the names that webhooks have. */
  event: z.string(),
  at: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()),
});
export type LiveEvent = z.infer<typeof liveEvent>;

/** An event and its place in the streams: ids rise. */
export type PlacedEvent = LiveEvent & { id: string };

/** The braces keep all streams in one slot of a Redis Cluster, which a script demands. */
export const allEvents = "prosaas:{events}:all";
export const eventsOf = (businessId: string): string => `prosaas:{events}:${businessId}`;

/** Half an hour at ten events a second; of one business, all that a page of a console would show. */
export const limits = { all: 20_000, business: 1_000, keptMs: 24 * 3_600_000 };

export const idForm = /^\d{1,15}-\d{1,15}$/;

/** Whether id `a` comes after `b`. */
export function isAfter(a: string, b: string): boolean {
  const [aMs, aSeq] = a.split("-").map(BigInt) as [bigint, bigint];
  const [bMs, bSeq] = b.split("-").map(BigInt) as [bigint, bigint];
  return aMs === bMs ? aSeq > bSeq : aMs > bMs;
}

/** Parses an entry of a stream as ioredis gives it; undefined for what is no event of ours. */
export function placed([id, fields]: [string, string[]]): PlacedEvent | undefined {
  try {
    const parsed = liveEvent.safeParse(JSON.parse(fields[1] ?? ""));
    return parsed.success ? { id, ...parsed.data } : undefined;
  } catch {
    return undefined;
  }
}
