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
import { askShard, couldNotAsk } from "./live_session.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { absentSession, liveSession, mirroredSession, newConnection, sessionSchema } from "./schemas.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["WhatsApp"];
const json = { "application/json": { schema: sessionSchema } };
/** A QR is a credential for some seconds: no cache may keep it. */
const noStore = { "cache-control": "no-store" };

export function whatsappRoutes({ db, router, assignmentRule, shards }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const existing = async (scope: BusinessScope): Promise<Business> => {
    const business = await getBusiness(scope);
    if (!business) throw noSuchBusiness();
    return business;
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/connect",
      tags,
      summary: "Connect the business's WhatsApp",
      description:
        "Begins pairing by QR or by code; read the session until it is open. With the login it has, a paired business opens again without pairing.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newConnection } } },
      },
      responses: {
        202: { description: "Connecting", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "upstream_timeout"),
      },
    }),
    async (c) => {
      const scope = c.var.business;
      const shard = await shardOf({ db, router, assignmentRule }, scope);
      if (shard === undefined) throw noSuchBusiness();
      const address = router.locate({ id: scope.businessId, whatsapp_shard: shard });
      const view = await shards.connect(address, scope.businessId, c.req.valid("json"));
      return c.json(liveSession(view, true), 202, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/whatsapp",
      tags,
      summary: "Get the state of the business's WhatsApp",
      description: "The QR and the code are shown to keys with the scope whatsapp:write.",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: { params: businessParams },
      responses: {
        200: { description: "The session", content: json },
        ...problemResponses("forbidden", "upstream_timeout"),
      },
    }),
    async (c) => {
      const business = await existing(c.var.business);
      try {
        const view = await askShard({ router, shards }, business);
        const mayPair = mayUse(c.var.principal, "whatsapp:write");
        return c.json(view ? liveSession(view, mayPair) : absentSession(business), 200, noStore);
      } catch (error) {
        const mirrored = couldNotAsk(error) ? await getSession(c.var.business) : undefined;
        if (!mirrored) throw error;
        return c.json(mirroredSession(mirrored), 200, noStore);
      }
    },
  );

  /** The text of the QR that is to be scanned now. */
  const presentQr = async (scope: BusinessScope): Promise<string> => {
    const view = await askShard({ router, shards }, await existing(scope));
    if (view?.qr) return view.qr;
    const status = view?.status ?? "disconnected";
    throw new AppError(
      "conflict",
      `There is no QR to scan: the session is ${status}. POST …/whatsapp/connect with method "qr" begins one.`,
    );
  };

  const picture = (format: "png" | "svg", mediaType: string) =>
    createRoute({
      method: "get",
      path: `/businesses/{business_id}/whatsapp/qr.${format}`,
      tags,
      summary: `Get the QR to scan, as ${format.toUpperCase()}`,
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "The picture",
          content: { [mediaType]: { schema: { type: "string" as const, format: "binary" } } },
        },
        ...problemResponses("forbidden", "conflict", "upstream_timeout"),
      },
    });

  app.openapi(picture("png", "image/png"), async (c) => {
    const png = await QRCode.toBuffer(await presentQr(c.var.business), { width: 400 });
    return c.body(new Uint8Array(png), 200, { "content-type": "image/png", ...noStore });
  });

  app.openapi(picture("svg", "image/svg+xml"), async (c) => {
    const svg = await QRCode.toString(await presentQr(c.var.business), { type: "svg" });
    return c.body(svg, 200, { "content-type": "image/svg+xml", ...noStore });
  });

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/whatsapp",
      tags,
      summary: "Log the business's WhatsApp out",
      description: "Ends the login at WhatsApp and deletes its keys; connecting again needs a new QR or code.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: { params: businessParams },
      responses: { 204: { description: "Logged out" }, ...problemResponses("forbidden", "upstream_timeout") },
    }),
    async (c) => {
      const business = await existing(c.var.business);
      if (business.whatsapp_shard !== null) await shards.logout(router.locate(business), business.id);
      return c.body(null, 204);
    },
  );

  return app;
}
