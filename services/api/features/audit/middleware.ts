import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { messageOf } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { completeAuditEvent, forPlatform, insertAuditEvent } from "../../../../lib/db/index.ts";
import type { Database } from "../../../../lib/db/index.ts";
import type { Logger } from "../../../../lib/runtime/log.ts";
import type { AuditReads } from "./reads.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { knownForm } from "../../http/params.ts";

const changing = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const underBusiness = /\/businesses\/([^/]+)/;

const reading = new Set(["GET", "HEAD"]);

/**
 * Counts whose data admin keys read (audit_reads.ts), and writes down every change that is asked for with an admin key, before it is made: what cannot be written down is not
 * done. The answer's status follows; an event without one was cut off by the end of the process.
 */
export function audited(db: Database, reads: AuditReads, logger: Logger): MiddlewareHandler<Authenticated> {
  const platform = forPlatform(db);
  return createMiddleware<Authenticated>(async (c, next) => {
    const { principal, requestId } = c.var;
    if (principal.kind !== "admin") return next();
    if (reading.has(c.req.method)) {
      await next();
      const business = knownForm(underBusiness.exec(c.req.path)?.[1] ?? "");
      if (business !== undefined && c.res.ok) reads.note(principal, business);
      return;
    }
    if (!changing.has(c.req.method)) return next();
    const id = uuidv7();
    // As it was sent, percent-encoded: decoded it may hold what Postgres cannot.
    const path = new URL(c.req.url).pathname;
    await insertAuditEvent(platform, {
      id,
      key_id: principal.keyId,
      key_prefix: principal.prefix,
      method: c.req.method,
      path,
      business_id: knownForm(underBusiness.exec(path)?.[1] ?? "") ?? null,
      request_id: requestId,
    });
    await next();
    await completeAuditEvent(platform, id, c.res.status).catch((error: unknown) =>
      logger.warn(
        { error: messageOf(error), request_id: requestId },
        "the status of an audited request was not written",
      ),
    );
  });
}
