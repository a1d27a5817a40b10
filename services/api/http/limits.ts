import type { BodyRate, ReaderRate } from "../../../lib/runtime/body_rate.ts";
import type { SlotLimits } from "../../../lib/runtime/slots.ts";

/**
 * Concurrency limits of one replica: a total, and the share of it that one business may hold. A few businesses together
 * never hold all: some slots are reserved for those without one. A business beyond its share gets 429, a request beyond
 * the total gets 503; both carry Retry-After.
 */
export type ApiLimits = {
  /** Requests whose credential is being looked up, by address. Cached keys need no slot. */
  authenticating: SlotLimits;
  /** Requests whose body is being received or waits for its turn. A slot holds at most 512 KiB. */
  bodies: SlotLimits & { deadlineMs: number; largeBytes: number; largeBytesPerS: number; maxTurnWaitMs: number };
  /** Requests at work. */
  requests: SlotLimits;
  /** Uploads of files and CSV tables. */
  uploads: SlotLimits & BodyRate & { tableDeadlineMs: number };
  /** Downloads at signed URLs. A slot holds about half a megabyte. */
  files: SlotLimits & ReaderRate;
  /** Open event streams; `share` is per business. */
  streams: SlotLimits & { shareOfKey: number; stallMs: number };
};

const KiB = 1_024;

export function apiLimits(
  changes: { requests?: number | undefined; uploads?: number | undefined; files?: number | undefined } = {},
): ApiLimits {
  const { requests = 512, uploads = 64, files = 128 } = changes;
  return {
    // A slot only covers a lookup, and one address may serve many businesses.
    authenticating: { total: 2 * requests, share: requests },
    // JSON of 512 KiB takes up to 40 ms to parse: at this rate, large bodies use half of the event loop's time.
    bodies: {
      ...slots(share(requests, 2), 4),
      deadlineMs: 8_000,
      largeBytes: 32 * KiB,
      largeBytesPerS: 8 * KiB * KiB,
      maxTurnWaitMs: 4_000,
    },
    requests: slots(requests, 4),
    // Both deadlines are shorter than the response's (deadlines.ts), so that the caller receives the problem.
    uploads: {
      ...slots(uploads, 8),
      graceMs: 10_000,
      minBytesPerS: 16 * KiB,
      deadlineMs: 290_000,
      tableDeadlineMs: 50_000,
    },
    // A console page loads about a dozen thumbnails. A phone with a bad connection still reads 4 KiB a second.
    files: { ...slots(files, 4), minBytes: 120 * KiB, windowMs: 30_000 },
    // Heartbeats are sent every 15 s: a reader that misses three has hung up.
    streams: { total: 1_000, share: 100, reserved: 250, shareOfKey: 200, stallMs: 45_000 },
  };
}

/** Slots of which one business may hold a part. The last quarter is for businesses without one. */
const slots = (total: number, parts: number): SlotLimits => ({
  total,
  share: share(total, parts),
  reserved: share(total, 4),
});

function share(total: number, parts: number): number {
  return Math.max(1, Math.floor(total / parts));
}
