import { AppError } from "../core/errors.ts";
import { within } from "../core/time.ts";
import { once } from "./slots.ts";

export type BodyRate = {
  /** Largest body in bytes. Unset: unbounded. */
  maxBytes?: number;
  /** Total time for which a sender may pause before its rate counts. */
  graceMs: number;
  minBytesPerS: number;
  /** Deadline for the whole body, at any rate. */
  deadlineMs: number;
};

/**
 * Passes a body through and fails it with "request_timeout" if its sender is slower than the rate. Counts only the time
 * spent waiting for the sender, so that a slow consumer does no harm. Reads nothing ahead.
 */
export function enforceBodyRate(body: ReadableStream<Uint8Array>, rate: BodyRate): ReadableStream<Uint8Array> {
  const { graceMs, minBytesPerS, deadlineMs, maxBytes = Number.POSITIVE_INFINITY } = rate;
  const reader = body.getReader();
  const endsAt = performance.now() + deadlineMs;
  let received = 0;
  let waitedMs = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const startedAt = performance.now();
        const allowedMs = Math.min(graceMs + (received / minBytesPerS) * 1_000 - waitedMs, endsAt - startedAt);
        try {
          const chunk = await within(allowedMs, reader.read(), () => tooSlow(minBytesPerS));
          waitedMs += performance.now() - startedAt;
          if (chunk.done) return controller.close();
          received += chunk.value.length;
          if (received > maxBytes) throw bodyTooLarge(maxBytes);
          controller.enqueue(chunk.value);
        } catch (error) {
          void reader.cancel().catch(() => {});
          controller.error(bodyError(error));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Resolves with the body that `read` returns. Throws "request_timeout" if that takes longer than `ms`. */
export async function receiveWithin<T>(ms: number, read: Promise<T>): Promise<T> {
  try {
    return await within(
      ms,
      read,
      () => new AppError("request_timeout", `The body did not arrive within ${ms / 1_000} s; send it faster.`),
    );
  } catch (error) {
    throw bodyError(error);
  }
}

export function bodyTooLarge(maxBytes: number): AppError {
  return new AppError("too_large", `The request body exceeds the limit of ${maxBytes} bytes; send a smaller one.`);
}

function tooSlow(minBytesPerS: number): AppError {
  return new AppError(
    "request_timeout",
    `The body arrives too slowly; send at least ${minBytesPerS} bytes a second without long pauses.`,
  );
}

/** Classifies a broken connection as the sender's error, not as an internal one. */
function bodyError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  return new AppError("invalid_request", "The body was cut off; send the request again.", { cause: error });
}

export type ReaderRate = {
  /** Bytes that a reader must take in each window. */
  minBytes: number;
  windowMs: number;
};

/**
 * Streams a response's body with backpressure: it produces one chunk at a time and nothing ahead. Disconnects a reader
 * that is slower than the rate. Calls `onEnd` once, when the body was read, cancelled, cut off, or has failed.
 */
export function enforceReaderRate(
  chunks: AsyncIterator<Uint8Array, unknown, undefined>,
  { minBytes, windowMs }: ReaderRate,
  onEnd: (cutOff: boolean) => void,
): ReadableStream<Uint8Array> {
  let taken = 0;
  let takenBefore = 0;
  let cutOff = false;
  let pulling = false;
  let watch: ReturnType<typeof setInterval> | undefined;
  const end = once(() => {
    clearInterval(watch);
    onEnd(cutOff);
  });
  const release = () => Promise.resolve(chunks.return?.()).catch(() => {});
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        watch = setInterval(() => {
          // While a chunk is being produced, the reader waits for us.
          if (pulling || taken - takenBefore >= minBytes) {
            takenBefore = taken;
            return;
          }
          cutOff = true;
          end();
          // Without a reason, because Bun would print it. Bun resets the connection either way.
          controller.error(undefined);
          void release();
        }, windowMs);
      },
      pull: async (controller) => {
        pulling = true;
        try {
          const { done, value } = await chunks.next();
          if (cutOff) return;
          if (done) {
            end();
            controller.close();
          } else {
            taken += value.length;
            controller.enqueue(value);
          }
        } catch (error) {
          end();
          throw error;
        } finally {
          pulling = false;
        }
      },
      cancel: async () => {
        end();
        await release();
      },
    },
    { highWaterMark: 0 },
  );
}
