import { createMiddleware } from "hono/factory";
import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { bodyTooLarge, pacedBody, receiveWithin } from "../../../lib/runtime/paced.ts";
import { once, Slots } from "../../../lib/runtime/slots.ts";
import type { SlotRefusal } from "../../../lib/runtime/slots.ts";
import { authenticate } from "./auth/guards.ts";
import type { Authenticated } from "./auth/guards.ts";
import type { ApiLimits } from "./limits.ts";

/*
 * A request passes three bounded stages. Each holds a slot only as long as the stage lasts, so that a flood in one does
 * not take the slots of the next:
 *
 *   authenticate (by address) ─▶ receive the body (by business) ─▶ work (by business)
 *                             └▶ upload (by business): its own slots from the first byte to the answer
 *
 * Streams of events and files at signed addresses have slots of their own, which last as long as the response's body.
 */

/** What is uploaded: media, or recipients as CSV. */
export type Upload = "file" | "table";

const upload = /^\/v1\/businesses\/[^/]+\/(media|broadcasts\/[^/]+\/recipients\/upload)$/;
const underBusiness = /^\/v1\/businesses\/([^/]+)/;

export function isUpload(c: Context): boolean {
  return c.req.method === "POST" && upload.test(c.req.path);
}

/** The business that pays for a request: its key's. An admin key is the operator's, and bounded by the total alone. */
export function ownerOf({ var: { principal } }: Context<Authenticated>): string | undefined {
  return principal.kind === "business" ? principal.businessId : undefined;
}

/** The business that pays for an upload: also where an admin key uploads for it. */
function uploaderOf(c: Context<Authenticated>): string | undefined {
  return ownerOf(c) ?? underBusiness.exec(c.req.path)?.[1]?.toLowerCase();
}

/** Slots with their metrics: how many are in use, and how many requests were refused. */
export function countedSlots(name: string, limits: ApiLimits[keyof ApiLimits], metrics: Metrics) {
  const slots = new Slots(limits);
  const refused = metrics.counter(
    `api_${name}_shed_total`,
    "Requests refused for want of a slot, by whose slots were taken.",
    ["of"],
  );
  metrics.gauge(`api_${name}_under_way`, "Slots in use.", [], (gauge) => gauge.set(slots.inUse));
  return {
    slots,
    /** Takes a slot; throws 503 where all are taken, 429 where the owner has its share. */
    take: (owner: string | undefined, what: string, retryAfterS: number): void => {
      const refusal = slots.take(owner);
      if (refusal === null) return;
      refused.inc({ of: refusal === "full" ? "all" : "business" });
      throw refusalOf(refusal, what, slots.limits.share, retryAfterS);
    },
  };
}
export type CountedSlots = ReturnType<typeof countedSlots>;

function refusalOf(refusal: SlotRefusal, what: string, share: number, retryAfterS: number): AppError {
  if (refusal === "full")
    return new AppError("unavailable", `Too many ${what} are in progress; retry shortly.`, { retryAfterS });
  const detail = `${share} ${what} of this business are in progress here, which is its share; let some end and retry.`;
  return new AppError("rate_limited", detail, { retryAfterS });
}

/** Looks the credential up within slots by address: before it is known, an address is all that there is. */
export function admitCaller(
  limits: ApiLimits,
  metrics: Metrics,
  ...given: Parameters<typeof authenticate>
): MiddlewareHandler<Authenticated> {
  const { slots, take } = countedSlots("authenticating", limits.authenticating, metrics);
  const known = authenticate(...given);
  return createMiddleware<Authenticated>(async (c, next) => {
    // nginx writes it, and overwrites what the caller sent.
    const address = c.req.header("x-forwarded-for");
    take(address, "requests", 1);
    const leave = once(() => slots.giveBack(address));
    try {
      return await known(c, async () => {
        leave();
        await next();
      });
    } finally {
      leave();
    }
  });
}

const withoutBody = new Set(["GET", "HEAD", "OPTIONS"]);

/** Receives the body before any work begins: whole, at most `maxBytes`, within a deadline. Uploads are read by their routes. */
export function receiveBody(
  { bodies }: ApiLimits,
  metrics: Metrics,
  maxBytes: number,
): MiddlewareHandler<Authenticated> {
  const { slots, take } = countedSlots("bodies", bodies, metrics);
  return createMiddleware<Authenticated>(async (c, next) => {
    if (withoutBody.has(c.req.method) || isUpload(c)) return next();
    const length = c.req.header("content-length");
    if (length === "0" || (length === undefined && !c.req.raw.body)) return next();
    if (Number(length ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
    const owner = ownerOf(c);
    take(owner, "request bodies", 1);
    try {
      // Hono keeps the bytes, and its parsers read them from there. A body of unknown length is counted as it comes.
      if (length !== undefined) await receiveWithin(bodies.deadlineMs, c.req.arrayBuffer());
      else
        c.req.raw = new Request(c.req.raw, {
          method: c.req.method,
          body: await receiveWithin(bodies.deadlineMs, readUpTo(c.req.raw.body!, maxBytes)),
        });
    } finally {
      slots.giveBack(owner);
    }
    await next();
  });
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

/** Bounds the requests at work. Refuses at once: a queue would make everybody too late. */
export function admitRequest({ requests }: ApiLimits, metrics: Metrics): MiddlewareHandler<Authenticated> {
  const { slots, take } = countedSlots("requests", requests, metrics);
  return createMiddleware<Authenticated>(async (c, next) => {
    if (isUpload(c) || c.req.path.endsWith("/events")) return next();
    const owner = ownerOf(c);
    take(owner, "requests", 1);
    try {
      await next();
    } finally {
      slots.giveBack(owner);
    }
  });
}

/** Bounds uploads: slots of their own, and a body of bounded size that must keep up a rate. */
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
      // The rest of the body is not waited for.
      c.header("connection", "close");
      throw error;
    }
    try {
      const { body } = c.req.raw;
      if (body !== null)
        c.req.raw = new Request(c.req.raw, {
          method: c.req.method,
          body: pacedBody(body, { ...uploads, deadlineMs, maxBytes }),
        });
      await next();
    } finally {
      slots.giveBack(owner);
    }
  });
}
