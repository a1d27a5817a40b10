import { AppError } from "../core/errors.ts";
import { once } from "./slots.ts";

export type BodyPace = {
  /** Bytes of the body at most; unbounded where it is absent. */
  maxBytes?: number;
  /** Time that a sender may pause in all before its rate counts. */
  graceMs: number;
  minBytesPerS: number;
  /** Time for the whole body, at any rate. */
  deadlineMs: number;
};

/**
 * The same body, ended with "request_timeout" where its sender is slower than the pace. Only the time spent waiting for
 * the sender counts, so a slow store is not held against it. Nothing is read ahead.
 */
export function pacedBody(body: ReadableStream<Uint8Array>, pace: BodyPace): ReadableStream<Uint8Array> {
  const { graceMs, minBytesPerS, deadlineMs, maxBytes = Number.POSITIVE_INFINITY } = pace;
  const reader = body.getReader();
  const endsAt = performance.now() + deadlineMs;
  let received = 0;
  let waitedMs = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const asked = performance.now();
        const allowedMs = Math.min(graceMs + (received / minBytesPerS) * 1_000 - waitedMs, endsAt - asked);
        try {
          const chunk = await within(allowedMs, reader.read(), () => tooSlow(minBytesPerS));
          waitedMs += performance.now() - asked;
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

/** Resolves with the body that `read` gives; throws "request_timeout" where it takes longer than `ms`. */
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
  return new AppError("too_large", `A request body may have up to ${maxBytes} bytes here; send less.`);
}

function tooSlow(minBytesPerS: number): AppError {
  return new AppError(
    "request_timeout",
    `The body arrives too slowly; send at least ${minBytesPerS} bytes a second without long pauses.`,
  );
}

/** A sender that hangs up is no fault of ours. */
function bodyError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  return new AppError("invalid_request", "The body was cut off; send the request again.", { cause: error });
}

async function within<T>(ms: number, work: Promise<T>, late: () => AppError): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), Math.max(0, ms));
  // What is late may still fail, and then nothing waits for it.
  work.catch(() => {});
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

export type ReaderPace = {
  /** Bytes that a reader takes in each window, or it is cut off. */
  minBytes: number;
  windowMs: number;
};

/**
 * A response's body that is produced as its reader takes it: one chunk at a time, nothing ahead. A reader that takes less
 * than the pace is cut off. `onEnd` runs once, when the body has been taken, cancelled, cut off, or has failed.
 */
export function pacedResponse(
  chunks: AsyncIterator<Uint8Array, unknown, undefined>,
  { minBytes, windowMs }: ReaderPace,
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
          // While we produce, the reader waits for us.
          if (pulling || taken - takenBefore >= minBytes) {
            takenBefore = taken;
            return;
          }
          cutOff = true;
          end();
          // Without a reason: Bun prints one, and resets the connection either way.
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
