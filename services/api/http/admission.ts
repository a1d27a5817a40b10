import { createMiddleware } from "hono/factory";
import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { bodyTooLarge, enforceBodyRate, receiveWithin } from "../../../lib/runtime/body_rate.ts";
import { RateShare } from "../../../lib/runtime/rate_share.ts";
import type { Authenticated } from "./auth/guards.ts";
import { countedSlots } from "./counted_slots.ts";
import { stageMs } from "./deadlines.ts";
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
    const body = length === undefined ? countBody(c, maxBytes) : readBody(c);
    try {
      const size = await receiveWithin(stageMs(c, bodies.deadlineMs), body.size);
      if (size > bodies.largeBytes && !(await parsing.take(owner, size, stageMs(c, bodies.maxTurnWaitMs))))
        throw new AppError("unavailable", "Too many large request bodies are in progress. Retry shortly.", {
          retryAfterS: 1,
        });
      slots.giveBack(owner);
    } catch (error) {
      body.cancel();
      // The slot bounds the memory of bodies, so it is held until the reading has ended.
      void body.size.catch(() => {}).finally(() => slots.giveBack(owner));
      throw error;
    }
    await next();
  });
}

/** A body that is being received. */
type Receiving = { size: Promise<number>; cancel(): void };

/** Reads a body of known length, which Hono caches for its parsers. It ends at the latest with its connection. */
function readBody(c: Context): Receiving {
  return { size: c.req.arrayBuffer().then(({ byteLength }) => byteLength), cancel: () => {} };
}

/** Reads a body of unknown length, counts it while it arrives, and puts it into the request. */
function countBody(c: Context, maxBytes: number): Receiving {
  const { raw } = c.req;
  const reader = raw.body!.getReader();
  const read = async (): Promise<number> => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.length;
      if (size > maxBytes) throw bodyTooLarge(maxBytes);
      chunks.push(next.value);
    }
    c.req.raw = new Request(raw, { method: c.req.method, body: new Blob(chunks) });
    return size;
  };
  return { size: read(), cancel: () => void reader.cancel().catch(() => {}) };
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
