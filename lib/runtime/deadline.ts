import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../core/errors.ts";

/** What a proxy in front allows for the answer, in whole seconds (consul/nginx.conf.ctmpl). */
const timeoutForm = /^[1-9]\d{0,3}$/;

/**
 * Answers 503 with Retry-After when the response of a request has not begun within its limit. The time for reading the
 * body counts, so that a slow body ends here too; the time for sending the response does not, which suits streams. A
 * shorter `X-Request-Timeout` of the proxy takes precedence.
 *
 * The handler is not interrupted: what it waits for needs a limit of its own. Reading the body fails from then on,
 * because the connection is closed.
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
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const detail = `The request was not completed within ${ms / 1000} s. It may have taken effect; retry under the same Idempotency-Key.`;
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
