import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import { dueAt } from "../../../../lib/runtime/deadline.ts";
import { forBusiness, forPlatform, getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope, Database, PlatformScope } from "../../../../lib/db/index.ts";
import type { Networks } from "../../../../lib/core/networks.ts";
import type { CountedSlots } from "../counted_slots.ts";
import { callerSubscriber } from "./failed_logins.ts";
import type { FailedLogins } from "./failed_logins.ts";
import type { Authenticator } from "./authenticator.ts";
import { mayUse } from "./principal.ts";
import type { Principal, Scope } from "./principal.ts";

export type Authenticated = {
  Variables: {
    requestId: string;
    principal: Principal;
    /** The key or console token of the request. The database stores only its hash. */
    credential: string;
  };
};
/** Context behind `businessAccess`. Its scope is the only access to a tenant's rows. */
export type UnderBusiness = { Variables: Authenticated["Variables"] & { business: BusinessScope } };

/** The console's cookie. Browsers accept the `__Host-` prefix only for a Secure cookie of this host and every path. */
export const sessionCookie = "__Host-prosaas";

export function noSuchBusiness(): AppError {
  return new AppError("not_found", "No such business. Check the id and that the key belongs to this business.");
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Rejects cross-origin requests that carry the console's cookie (CSRF). SameSite=Strict already excludes other sites;
 * this check covers other origins of the same site, and browsers without SameSite.
 */
export function refuseForeignOrigin(c: Context, origin: string): void {
  if (safeMethods.has(c.req.method) || c.req.header("origin") === origin) return;
  throw new AppError("forbidden", "A request with the console's cookie must have the console's origin.");
}

export type AuthenticateOptions = {
  authenticator: Authenticator;
  failedLogins: FailedLogins;
  /** Slots by address for credentials that have to be looked up, because their business is not known yet. */
  lookups: CountedSlots;
  /** Networks of the edge, whose X-Forwarded-For is trusted. */
  edge: Networks;
  /** Origin of the console. */
  origin: string;
};

/** Requires a valid API key, or the cookie of a console session. */
export function authenticate({
  authenticator,
  failedLogins,
  lookups,
  edge,
  origin,
}: AuthenticateOptions): MiddlewareHandler<Authenticated> {
  return createMiddleware<Authenticated>(async (c, next) => {
    const authorization = c.req.header("authorization");
    const key = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
    const token = authorization === undefined ? getCookie(c, sessionCookie) : undefined;
    const credential = key ?? token;
    if (credential === undefined)
      throw new AppError("unauthorized", "The request has no API key. Send one as `Authorization: Bearer <key>`.");
    let principal = authenticator.recall(credential);
    // A key that was valid is exempt, so that it is not blocked by the logins of others behind the same address.
    const isRemembered = principal !== undefined || authenticator.remembers(credential);
    const address = isRemembered ? undefined : callerSubscriber(c, edge);
    if (principal === undefined) {
      failedLogins.refuse(address);
      const due = dueAt(c);
      const identify = () =>
        key === undefined ? authenticator.identifySession(credential, due) : authenticator.identify(credential, due);
      principal = await (isRemembered ? identify() : lookups.run(address, "logins", identify));
    }
    if (!principal) {
      failedLogins.count(address);
      throw new AppError(
        "unauthorized",
        key === undefined
          ? "The console session has expired. Sign in again."
          : "This API key is unknown, expired or revoked. Create a new one.",
      );
    }
    if (key === undefined) refuseForeignOrigin(c, origin);
    c.set("principal", principal);
    c.set("credential", credential);
    await next();
  });
}

/** Requires an admin key. Answers other keys with 404, as if the route did not exist. */
export const adminOnly = createMiddleware<Authenticated>(async (c, next) => {
  if (c.get("principal").kind !== "admin") {
    throw new AppError("not_found", `There is nothing at ${c.req.method} ${c.req.path}.`);
  }
  await next();
});

/** Access to the rows of all businesses until the response to the request is due. */
export const platformScope = (db: Database, c: Context): PlatformScope => forPlatform(db, dueAt(c));

const uuid = z.uuid();

/**
 * Requires an admin key, or a key of the business in the path that has at least one of the scopes. A business of
 * another tenant answers exactly like one that does not exist.
 */
export function businessAccess(db: Database, ...scopes: Scope[]): MiddlewareHandler<UnderBusiness> {
  return createMiddleware<UnderBusiness>(async (c, next) => {
    const id = uuid.safeParse(c.req.param("business_id")?.toLowerCase()).data;
    const principal = c.get("principal");
    if (id === undefined || (principal.kind === "business" && principal.businessId !== id)) throw noSuchBusiness();
    if (!scopes.some((scope) => mayUse(principal, scope))) {
      throw new AppError("forbidden", `This key lacks the scope ${scopes.join(" or ")}. Use a key that has it.`, {
        detail: { required_scope: scopes.join(" ") },
      });
    }
    const business = forBusiness(db, id, dueAt(c));
    // Deleting a business revokes its keys, so only an admin key can name a business that does not exist.
    if (principal.kind === "admin" && !(await getBusiness(business))) throw noSuchBusiness();
    c.set("business", business);
    await next();
  });
}
