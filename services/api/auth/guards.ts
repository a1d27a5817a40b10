import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { forBusiness } from "../../../lib/db/index.ts";
import type { BusinessScope, Database } from "../../../lib/db/index.ts";
import type { KeyRing } from "./key_ring.ts";
import { mayUse } from "./principal.ts";
import type { Principal, Scope } from "./principal.ts";

export type Authenticated = { Variables: { requestId: string; principal: Principal } };
/** Behind `businessAccess`: the one door to a tenant's rows. */
export type UnderBusiness = { Variables: Authenticated["Variables"] & { business: BusinessScope } };

export function noSuchBusiness(): AppError {
  return new AppError("not_found", "There is no such business.");
}

/** Asks for a key that is known. */
export function authenticate(keyRing: KeyRing): MiddlewareHandler<Authenticated> {
  return createMiddleware<Authenticated>(async (c, next) => {
    const key = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (key === undefined) throw new AppError("unauthorized", "Send an API key as `Authorization: Bearer <key>`.");
    const principal = await keyRing.identify(key);
    if (!principal) throw new AppError("unauthorized", "This API key is not known or was revoked; make a new one.");
    c.set("principal", principal);
    await next();
  });
}

/** Lets admin keys through; to any other key the place does not exist. */
export const adminOnly = createMiddleware<Authenticated>(async (c, next) => {
  if (c.var.principal.kind !== "admin") {
    throw new AppError("not_found", `There is nothing at ${c.req.method} ${c.req.path}.`);
  }
  await next();
});

const uuid = z.uuid();

/**
 * Opens the business in the path to an admin key, or to a key of that business with the scope. Another's
 * business answers exactly as one that does not exist.
 */
export function businessAccess(db: Database, scope: Scope): MiddlewareHandler<UnderBusiness> {
  return createMiddleware<UnderBusiness>(async (c, next) => {
    const id = uuid.safeParse(c.req.param("business_id")?.toLowerCase()).data;
    const { principal } = c.var;
    if (id === undefined || (principal.kind === "business" && principal.businessId !== id)) throw noSuchBusiness();
    if (!mayUse(principal, scope)) {
      throw new AppError("forbidden", `This key lacks the scope ${scope}; use one that has it.`, {
        detail: { required_scope: scope },
      });
    }
    c.set("business", forBusiness(db, id));
    await next();
  });
}
