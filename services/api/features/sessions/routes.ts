import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import QRCode from "qrcode";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness, getSession } from "../../../../lib/db/index.ts";
import type { Business, BusinessScope } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { shardOf } from "./first_shard.ts";
import { fetchSession, isShardUnreachable } from "./live_session.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { newConnection, sessionSchema } from "./schemas.ts";
import { absentSessionView, egressView, liveSessionView, storedSessionView } from "./view.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["WhatsApp"];
const json = { "application/json": { schema: sessionSchema } };
/** A QR code is a short-lived credential and must not be cached. */
const noStore = { "cache-control": "no-store" };

export function sessionRoutes({
  db,
  router,
  assignmentRule,
  cordon,
  shards,
}: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const findBusiness = async (scope: BusinessScope): Promise<Business> => {
    const business = await getBusiness(scope);
    if (!business) throw noSuchBusiness();
    return business;
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/connect",
      tags,
      summary: "Connect a WhatsApp account",
      description:
        "Starts pairing by QR code or pairing code. Poll the session until its status is open. A business that is " +
        "already paired reconnects with its stored login, on request once in 10 s. Ten pairings may be started " +
        "within a minute. Another request is answered with 429.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newConnection } } },
      },
      responses: {
        202: { description: "The connecting session", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "upstream_timeout"),
      },
    }),
    async (c) => {
      const scope = c.var.business;
      const shard = await shardOf({ db, router, assignmentRule, cordon }, scope);
      if (shard === undefined) throw noSuchBusiness();
      const { receive_statuses: statuses, device_name } = await findBusiness(scope);
      const address = router.locate({ id: scope.businessId, whatsapp_shard: shard });
      const request = { statuses, ...(device_name === null ? {} : { device_name }), ...c.req.valid("json") };
      const view = await shards.connect(address, scope.businessId, request);
      return c.json(liveSessionView(view, true), 202, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/whatsapp",
      tags,
      summary: "Get the WhatsApp session",
      description:
        "Only keys with the scope whatsapp:write see the QR code, the pairing code and the passkey's request.",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: { params: businessParams },
      responses: {
        200: { description: "The session", content: json },
        ...problemResponses("forbidden", "upstream_timeout"),
      },
    }),
    async (c) => {
      const business = await findBusiness(c.var.business);
      try {
        const session = await fetchSession({ router, shards }, business);
        const mayPair = mayUse(c.var.principal, "whatsapp:write");
        const view = session
          ? { ...liveSessionView(session, mayPair), ...egressView(session, c.var.principal) }
          : absentSessionView(business);
        return c.json(view, 200, noStore);
      } catch (error) {
        const stored = isShardUnreachable(error) ? await getSession(c.var.business) : undefined;
        if (!stored) throw error;
        return c.json(storedSessionView(stored), 200, noStore);
      }
    },
  );

  /** The text of the current QR code. */
  const currentQr = async (scope: BusinessScope): Promise<string> => {
    const session = await fetchSession({ router, shards }, await findBusiness(scope));
    if (session?.qr) return session.qr;
    const status = session?.status ?? "disconnected";
    throw new AppError(
      "conflict",
      `The session is ${status} and has no QR code. POST …/whatsapp/connect with method "qr" to start pairing.`,
    );
  };

  const picture = (format: "png" | "svg", mediaType: string) =>
    createRoute({
      method: "get",
      path: `/businesses/{business_id}/whatsapp/qr.${format}`,
      tags,
      summary: `Get the QR code as ${format.toUpperCase()}`,
      description: "The code changes every 20 seconds or so while the status is qr.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "The QR code",
          content: { [mediaType]: { schema: { type: "string" as const, format: "binary" } } },
        },
        ...problemResponses("forbidden", "conflict", "upstream_timeout"),
      },
    });

  app.openapi(picture("png", "image/png"), async (c) => {
    const png = await QRCode.toBuffer(await currentQr(c.var.business), { width: 400 });
    return c.body(new Uint8Array(png), 200, { "content-type": "image/png", ...noStore });
  });

  app.openapi(picture("svg", "image/svg+xml"), async (c) => {
    const svg = await QRCode.toString(await currentQr(c.var.business), { type: "svg" });
    return c.body(svg, 200, { "content-type": "image/svg+xml", ...noStore });
  });

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/whatsapp",
      tags,
      summary: "Log out of WhatsApp",
      description: "Unlinks the phone and deletes the session's keys. To connect again, pair again.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: { params: businessParams },
      responses: { 204: { description: "Logged out" }, ...problemResponses("forbidden", "upstream_timeout") },
    }),
    async (c) => {
      const business = await findBusiness(c.var.business);
      if (business.whatsapp_shard !== null) await shards.logout(router.locate(business), business.id);
      return c.body(null, 204);
    },
  );

  return app;
}
