import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { AppError } from "../../../../lib/core/errors.ts";
import { randomToken } from "../../../../lib/core/secret.ts";
import { deleteConsoleSession, forPlatform, insertConsoleSession } from "../../../../lib/db/index.ts";
import { adminOnly, sessionCookie } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { sessionHash } from "../../http/auth/key_ring.ts";
import type { KeyRing } from "../../http/auth/key_ring.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { problemResponses } from "../../http/problem.ts";
import { timestamp } from "../../http/text.ts";

const tags = ["Console"];
/** A working day: nobody is asked for the key in the middle of one. */
const sessionS = 12 * 3_600;
const cookie = { path: "/", httpOnly: true, secure: true, sameSite: "Strict" } as const;

const signedIn = z
  .object({ key_prefix: z.string().openapi({ example: "k3vq8x2m" }), expires_at: timestamp })
  .openapi("SignedIn");
const signedInAs = z
  .object({ key_id: z.string(), key_prefix: z.string().openapi({ example: "k3vq8x2m" }) })
  .openapi("SignedInAs");

/** Signing in: an admin key is shown once, and a cookie that no script can read stands for it afterwards. */
export function consoleRoutes({ db }: ApiDependencies, keyRing: KeyRing): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const platform = forPlatform(db);

  app.openapi(
    createRoute({
      method: "post",
      path: "/console/session",
      tags,
      summary: "Sign in to the console",
      description:
        "Send an admin key as the bearer; the cookie in the answer stands for it for twelve hours, or until the key ends.",
      middleware: [adminOnly] as const,
      responses: {
        201: { description: "Signed in", content: { "application/json": { schema: signedIn } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      // A cookie that could be exchanged for another would never end.
      if (c.req.header("authorization") === undefined)
        throw new AppError("forbidden", "Send the admin key itself to sign in.");
      const token = randomToken();
      const { keyId, prefix } = c.var.principal;
      const expires_at = await insertConsoleSession(platform, {
        hash: sessionHash(token),
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
      summary: "Tell who is signed in",
      middleware: [adminOnly] as const,
      responses: {
        200: { description: "The key", content: { "application/json": { schema: signedInAs } } },
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
      responses: { 204: { description: "Signed out" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const token = getCookie(c, sessionCookie);
      if (token !== undefined) await deleteConsoleSession(platform, sessionHash(token));
      deleteCookie(c, sessionCookie, cookie);
      keyRing.forget(null);
      return c.body(null, 204);
    },
  );

  return app;
}
