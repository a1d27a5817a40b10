import { createMiddleware } from "hono/factory";
import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { bodyTooLarge, enforceBodyRate, receiveWithin } from "../../../lib/runtime/body_rate.ts";
import { RateShare } from "../../../lib/runtime/rate_share.ts";
import type { Authenticated } from "./auth/guards.ts";
import { countedSlots } from "./counted_slots.ts";
import type { ApiLimits } from "./limits.ts";

/*
 * A request passes three bounded stages. Each stage holds a slot only while it runs, so that a flood in one stage does
 * not exhaust the slots of the next:
 *
 *   look up an unknown key (by address) ─▶ receive the body (by business) ─▶ work (by business)
 *                                       └▶ upload (by business): its own slots from the first byte to the answer
 *
 * Event streams and downloads at signed URLs have slots of their own, which they hold until the response body ends.
 */

/** Kind of upload: a media file, or a CSV table of recipients. */
export type Upload = "file" | "table";

const upload = /^\/v1\/businesses\/[^/]+\/(media|broadcasts\/[^/]+\/recipients\/upload)$/;
const underBusiness = /^\/v1\/businesses\/([^/]+)/;

export function isUpload(c: Context): boolean {
  return c.req.method === "POST" && upload.test(c.req.path);
}

/** The business whose share a request uses: its key's. Admin keys are bounded by the total only. */
export function ownerOf(c: Context<Authenticated>): string | undefined {
  const principal = c.get("principal");
  return principal.kind === "business" ? principal.businessId : undefined;
}

/** The business whose share an upload uses, including uploads by an admin key on its behalf. */
function uploaderOf(c: Context<Authenticated>): string | undefined {
  return ownerOf(c) ?? underBusiness.exec(c.req.path)?.[1]?.toLowerCase();
}

const withoutBody = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Receives the whole body before the work starts: at most `maxBytes`, within a deadline. Businesses take turns with
 * large bodies, which keep the event loop busy while they are parsed. Routes read uploads.
 */
export function receiveBody(
  { bodies }: ApiLimits,
  metrics: Metrics,
  maxBytes: number,
): MiddlewareHandler<Authenticated> {
  const { slots, take } = countedSlots("bodies", bodies, metrics);
  const parsing = new RateShare(bodies.largeBytesPerS);
  return createMiddleware<Authenticated>(async (c, next) => {
    if (withoutBody.has(c.req.method) || isUpload(c)) return next();
    const length = c.req.header("content-length");
    if (length === "0" || (length === undefined && !c.req.raw.body)) return next();
    if (Number(length ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
    const owner = ownerOf(c);
    take(owner, "request bodies", 1);
    try {
      const size = await receive(c, length, bodies.deadlineMs, maxBytes);
      // The slot bounds the memory of bodies, so it is held while the body waits for its turn.
      if (size > bodies.largeBytes && !(await parsing.take(owner, size, bodies.maxTurnWaitMs)))
        throw new AppError("unavailable", "Too many large request bodies are in progress. Retry shortly.", {
          retryAfterS: 1,
        });
    } finally {
      slots.giveBack(owner);
    }
    await next();
  });
}

/** Receives the body and returns its size. */
async function receive(c: Context, length: string | undefined, deadlineMs: number, maxBytes: number): Promise<number> {
  // Hono caches the bytes for its parsers. A body of unknown length is counted while it arrives.
  if (length !== undefined) return (await receiveWithin(deadlineMs, c.req.arrayBuffer())).byteLength;
  const body = await receiveWithin(deadlineMs, readUpTo(c.req.raw.body!, maxBytes));
  c.req.raw = new Request(c.req.raw, { method: c.req.method, body });
  return body.size;
}

async function readUpTo(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw bodyTooLarge(maxBytes);
    chunks.push(chunk as Uint8Array<ArrayBuffer>);
  }
  return new Blob(chunks);
}

/** Limits the concurrent requests. Refuses at once, because queueing would make every request miss its deadline. */
export function admitRequest({ requests }: ApiLimits, metrics: Metrics): MiddlewareHandler<Authenticated> {
  const { run } = countedSlots("requests", requests, metrics);
  return createMiddleware<Authenticated>((c, next) =>
    isUpload(c) || c.req.path.endsWith("/events") ? next() : run(ownerOf(c), "requests", next),
  );
}

/** Limits uploads: slots of their own, a maximum size and a minimum transfer rate. */
export function admitUpload(
  { uploads }: ApiLimits,
  metrics: Metrics,
  maxBytesOf: Record<Upload, number>,
): MiddlewareHandler<Authenticated> {
  const { slots, take } = countedSlots("uploads", uploads, metrics);
  return createMiddleware<Authenticated>(async (c, next) => {
    if (!isUpload(c)) return next();
    const owner = uploaderOf(c);
    const kind: Upload = c.req.path.endsWith("/media") ? "file" : "table";
    const maxBytes = maxBytesOf[kind];
    const deadlineMs = kind === "file" ? uploads.deadlineMs : uploads.tableDeadlineMs;
    try {
      if (Number(c.req.header("content-length") ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
      take(owner, "uploads", 5);
    } catch (error) {
      // Closes the connection instead of waiting for the rest of the body.
      c.header("connection", "close");
      throw error;
    }
    try {
      const { body } = c.req.raw;
      if (body !== null)
        c.req.raw = new Request(c.req.raw, {
          method: c.req.method,
          body: enforceBodyRate(body, { ...uploads, deadlineMs, maxBytes }),
        });
      await next();
    } finally {
      slots.giveBack(owner);
    }
  });
}
