import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import { forBusiness, getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope, Database } from "../../../../lib/db/index.ts";
import type { Networks } from "../../../../lib/core/networks.ts";
import { callerAddress } from "./failed_logins.ts";
import type { FailedLogins } from "./failed_logins.ts";
import type { KeyRing } from "./key_ring.ts";
import { mayUse } from "./principal.ts";
import type { Principal, Scope } from "./principal.ts";

export type Authenticated = {
  Variables: {
    requestId: string;
    principal: Principal;
    /** What the caller proved itself with: known to the caller and, whole, to nobody else. */
    credential: string;
  };
};
/** Behind `businessAccess`: the one door to a tenant's rows. */
export type UnderBusiness = { Variables: Authenticated["Variables"] & { business: BusinessScope } };

/** The console's cookie. The prefix makes browsers refuse it unless it is Secure, for this host alone and for every path. */
export const sessionCookie = "__Host-prosaas";

export function noSuchBusiness(): AppError {
  return new AppError("not_found", "There is no such business.");
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * A browser sends the cookie along with whatever page asks. SameSite=Strict keeps other sites' requests without it;
 * this keeps out what is left, a page of the same site but another origin, and browsers that know no SameSite.
 */
export function refuseForeignOrigin(c: Context, origin: string): void {
  if (safeMethods.has(c.req.method) || c.req.header("origin") === origin) return;
  throw new AppError("forbidden", "A request with the console's cookie must come from a page of the console itself.");
}

export type AuthenticateOptions = {
  keyRing: KeyRing;
  failedLogins: FailedLogins;
  /** Networks of the edge, whose X-Forwarded-For is believed. */
  edge: Networks;
  /** Of the console. */
  origin: string;
};

/** Requires a known key, or the cookie of a console session that was begun with one. */
export function authenticate({
  keyRing,
  failedLogins,
  edge,
  origin,
}: AuthenticateOptions): MiddlewareHandler<Authenticated> {
  return createMiddleware<Authenticated>(async (c, next) => {
    const authorization = c.req.header("authorization");
    const key = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
    const token = authorization === undefined ? getCookie(c, sessionCookie) : undefined;
    const credential = key ?? token;
    if (credential === undefined)
      throw new AppError("unauthorized", "Send an API key as `Authorization: Bearer <key>`.");
    // A caller whose key was valid a moment ago pays for no stranger behind the same address.
    const address = keyRing.remembers(credential) ? undefined : callerAddress(c, edge);
    failedLogins.refuse(address);
    const principal = await (key === undefined ? keyRing.identifySession(credential) : keyRing.identify(credential));
    if (!principal) {
      failedLogins.count(address);
      throw new AppError(
        "unauthorized",
        key === undefined
          ? "The console's session is over; sign in again."
          : "This API key is not known, has expired or was revoked; make a new one.",
      );
    }
    if (key === undefined) refuseForeignOrigin(c, origin);
    c.set("principal", principal);
    c.set("credential", credential);
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
 * Opens the business in the path to an admin key, or to a key of that business with the scope, or with any of several.
 * Another's business answers exactly as one that does not exist.
 */
export function businessAccess(db: Database, ...scopes: Scope[]): MiddlewareHandler<UnderBusiness> {
  return createMiddleware<UnderBusiness>(async (c, next) => {
    const id = uuid.safeParse(c.req.param("business_id")?.toLowerCase()).data;
    const { principal } = c.var;
    if (id === undefined || (principal.kind === "business" && principal.businessId !== id)) throw noSuchBusiness();
    if (!scopes.some((scope) => mayUse(principal, scope))) {
      throw new AppError("forbidden", `This key lacks the scope ${scopes.join(" or ")}; use one that has it.`, {
        detail: { required_scope: scopes.join(" ") },
      });
    }
    const business = forBusiness(db, id);
    // The keys of a business end with it. An admin key does not, so what it asks for has to be there.
    if (principal.kind === "admin" && !(await getBusiness(business))) throw noSuchBusiness();
    c.set("business", business);
    await next();
  });
}
