import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../core/errors.ts";

/** `X-Request-Timeout`, set by the proxy: whole seconds for the answer (consul/nginx.conf.ctmpl). */
const timeoutForm = /^[1-9]\d{0,3}$/;

/**
 * Answers 503 with Retry-After if the response to a request has not started within its limit. The time for reading the
 * body counts, so that a slow body ends here too. The time for sending the response does not count, which suits
 * streams. A shorter `X-Request-Timeout` of the proxy takes precedence.
 *
 * The middleware does not interrupt the handler, so everything that the handler awaits needs a limit of its own, of at
 * most the time that `dueAt` leaves. It closes the connection, so that further reads of the body fail.
 *
 * @example app.use(answersWithin((c) => (isUpload(c) ? 300_000 : 9_000)));
 */
export function answersWithin(limitMs: (c: Context) => number): MiddlewareHandler {
  return async (c, next) => {
    const allowed = c.req.header("x-request-timeout");
    const ms = Math.min(
      limitMs(c),
      allowed !== undefined && timeoutForm.test(allowed) ? Number(allowed) * 1000 : Number.POSITIVE_INFINITY,
    );
    c.set(dueAtName, performance.now() + ms);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const detail =
        `The request was not completed within ${ms / 1000} s. It may have taken effect; ` +
        `retry with the same Idempotency-Key.`;
      late.reject(new AppError("unavailable", detail, { retryAfterS: 1 }));
    }, ms);
    try {
      await Promise.race([next(), late.promise]);
    } catch (error) {
      c.header("connection", "close");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}

const dueAtName = "dueAt";

/** When the response to a request is due, by `performance.now()`; infinity outside `answersWithin`. */
export function dueAt(c: Context): number {
  const at: unknown = c.get(dueAtName);
  return typeof at === "number" ? at : Number.POSITIVE_INFINITY;
}
