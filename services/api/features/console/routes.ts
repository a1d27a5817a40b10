import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { AppError } from "../../../../lib/core/errors.ts";
import { randomToken } from "../../../../lib/core/secret.ts";
import { deleteConsoleSession, insertConsoleSession } from "../../../../lib/db/index.ts";
import { adminOnly, platformScope, sessionCookie } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { consoleTokenHash } from "../../http/auth/authenticator.ts";
import type { Authenticator } from "../../http/auth/authenticator.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { problemResponses } from "../../http/problem.ts";
import { signedIn, signedInAs } from "./schemas.ts";

const tags = ["Console"];
/** 12 hours, so that a session lasts a working day. */
const sessionS = 12 * 3_600;
const cookie = { path: "/", httpOnly: true, secure: true, sameSite: "Strict" } as const;

/** Exchanges an admin key for a console session, whose cookie scripts cannot read. */
export function consoleRoutes({ db }: ApiDependencies, authenticator: Authenticator): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/console/session",
      tags,
      summary: "Sign in to the console",
      description:
        "Send an admin key as the bearer token. The response sets a cookie that authenticates the console for 12 " +
        "hours, or until the key expires.",
      middleware: [adminOnly] as const,
      responses: {
        201: { description: "The console session", content: { "application/json": { schema: signedIn } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      // Otherwise a cookie could be exchanged for new ones forever.
      if (c.req.header("authorization") === undefined)
        throw new AppError("forbidden", "A cookie cannot sign in. Send an admin key as `Authorization: Bearer <key>`.");
      const token = randomToken();
      const { keyId, prefix } = c.var.principal;
      const expires_at = await insertConsoleSession(platformScope(db, c), {
        hash: consoleTokenHash(token),
        key_id: keyId,
        lifetimeS: sessionS,
      });
      setCookie(c, sessionCookie, token, { ...cookie, maxAge: sessionS });
      return c.json({ key_prefix: prefix, expires_at: expires_at.toISOString() }, 201, { "cache-control": "no-store" });
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/console/session",
      tags,
      summary: "Get the console session",
      description: "Returns the key that signed in.",
      middleware: [adminOnly] as const,
      responses: {
        200: { description: "The key of the console session", content: { "application/json": { schema: signedInAs } } },
        ...problemResponses(),
      },
    }),
    (c) =>
      c.json({ key_id: c.var.principal.keyId, key_prefix: c.var.principal.prefix }, 200, {
        "cache-control": "no-store",
      }),
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/console/session",
      tags,
      summary: "Sign out of the console",
      middleware: [adminOnly] as const,
      responses: { 204: { description: "The session has ended" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const token = getCookie(c, sessionCookie);
      if (token !== undefined) await deleteConsoleSession(platformScope(db, c), consoleTokenHash(token));
      deleteCookie(c, sessionCookie, cookie);
      authenticator.invalidate(null);
      return c.body(null, 204);
    },
  );

  return app;
}
