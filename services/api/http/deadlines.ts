import type { Context } from "hono";
import { dueAt } from "../../../lib/runtime/deadline.ts";

/** One second less than the edge waits, so that the caller receives this API's problem and not nginx's. */
const usualDeadlineMs = 9_000;
/** 100 MiB at 350 KB a second, a slow mobile network. */
const uploadDeadlineMs = 300_000;
/** Importing 100,000 recipients takes up to 5 s; the rest is for the transfer. */
const tableDeadlineMs = 55_000;

/** Kept for the problem of a stage that used up its time. */
const problemMs = 500;

const mediaPath = /^\/v1\/businesses\/[^/]+\/media$/;

/** How long the response to a request may take to start, in ms. */
export function deadlineMs(c: Context): number {
  if (c.req.method !== "POST") return usualDeadlineMs;
  if (mediaPath.test(c.req.path)) return uploadDeadlineMs;
  return c.req.path.endsWith("/recipients/upload") ? tableDeadlineMs : usualDeadlineMs;
}

/** The time that one stage of a request may take: `ms`, or less if the response is due earlier. */
export function stageMs(c: Context, ms: number): number {
  return Math.max(0, Math.min(ms, dueAt(c) - problemMs - performance.now()));
}
