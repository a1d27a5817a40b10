import type { BodyPace, ReaderPace } from "../../../lib/runtime/paced.ts";
import type { SlotLimits } from "../../../lib/runtime/slots.ts";

/**
 * What one replica carries at once, and what of it a business gets. An owner past its share is answered 429, everybody
 * past the total 503, both with Retry-After.
 */
export type ApiLimits = {
  /** Requests whose credential is being looked up, by address: most take no longer than a map operation. */
  authenticating: SlotLimits;
  /** Requests whose body is arriving. A slot is 512 KiB at most. */
  bodies: SlotLimits & { deadlineMs: number };
  /** Requests at work: two batches of the outbox and as many again that wait for something else. */
  requests: SlotLimits;
  /** Files and tables that are being uploaded. */
  uploads: SlotLimits & BodyPace & { tableDeadlineMs: number };
  /** Files that are being read at signed addresses. A slot is half a MB. */
  files: SlotLimits & ReaderPace;
  /** Streams of events; `share` is a business's. */
  streams: SlotLimits & { shareOfKey: number; stallMs: number };
};

const KiB = 1_024;

export function apiLimits(
  changes: { requests?: number | undefined; uploads?: number | undefined; files?: number | undefined } = {},
): ApiLimits {
  const { requests = 512, uploads = 64, files = 128 } = changes;
  return {
    // They hold nothing but a look-up, and one address may be a program of many businesses.
    authenticating: { total: 2 * requests, share: requests },
    bodies: { total: share(requests, 2), share: share(requests, 8), deadlineMs: 8_000 },
    requests: { total: requests, share: share(requests, 4) },
    // The deadlines are below those of the answer (app.ts), so that the caller reads what was wrong.
    uploads: {
      total: uploads,
      share: share(uploads, 8),
      graceMs: 10_000,
      minBytesPerS: 16 * KiB,
      deadlineMs: 290_000,
      tableDeadlineMs: 50_000,
    },
    // A page of a console asks for some dozen thumbnails. 4 KiB a second is less than a telephone on a bad line reads.
    files: { total: files, share: share(files, 4), minBytes: 120 * KiB, windowMs: 30_000 },
    // Heartbeats come every 15 s: a reader that has taken nothing for three of them is gone.
    streams: { total: 1_000, share: 100, shareOfKey: 200, stallMs: 45_000 },
  };
}

function share(total: number, parts: number): number {
  return Math.max(1, Math.floor(total / parts));
}
