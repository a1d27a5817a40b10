import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { messageOf } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import type { Networks } from "../../../../lib/core/networks.ts";
import { completeAuditEvent, forPlatform, insertAuditEvent } from "../../../../lib/db/index.ts";
import type { Database } from "../../../../lib/db/index.ts";
import type { Logger } from "../../../../lib/runtime/log.ts";
import type { ReadCounter } from "./read_counter.ts";
import { callerAddress } from "../../http/auth/failed_logins.ts";
import { platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { parseId } from "../../http/params.ts";

const writeMethods = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const readMethods = new Set(["GET", "HEAD"]);
const underBusiness = /\/businesses\/([^/]+)/;

/**
 * Audits requests with admin keys. Counts reads. Records each change before it is made, and refuses it if the record
 * cannot be written. Adds the response's status afterwards; an entry without one means that the process stopped.
 */
export function audited(
  { db, edge }: { db: Database; edge: Networks },
  reads: ReadCounter,
  logger: Logger,
): MiddlewareHandler<Authenticated> {
  return createMiddleware<Authenticated>(async (c, next) => {
    const principal = c.get("principal");
    if (principal.kind !== "admin") return next();
    const requestId = c.get("requestId");
    if (readMethods.has(c.req.method)) {
      await next();
      const business = parseId(underBusiness.exec(c.req.path)?.[1] ?? "");
      if (business !== undefined && c.res.ok) reads.count(principal, business);
      return;
    }
    if (!writeMethods.has(c.req.method)) return next();
    const id = uuidv7();
    // Percent-encoded, because Postgres cannot store every decoded character.
    const path = new URL(c.req.url).pathname;
    await insertAuditEvent(platformScope(db, c), {
      id,
      key_id: principal.keyId,
      key_prefix: principal.prefix,
      method: c.req.method,
      path,
      business_id: parseId(underBusiness.exec(path)?.[1] ?? "") ?? null,
      request_id: requestId,
      address: callerAddress(c, edge) ?? null,
    });
    await next();
    // Without a deadline: the change was made, however late.
    await completeAuditEvent(forPlatform(db), id, c.res.status).catch((error: unknown) =>
      logger.warn({ error: messageOf(error), request_id: requestId }, "status of an audited request not written"),
    );
  });
}
