import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { SessionView } from "../../../../lib/contracts/shard/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";
import { assertionSchema, confirmationSchema } from "./passkey_schemas.ts";
import { sessionSchema } from "./schemas.ts";
import { liveSessionView } from "./view.ts";

type ShardOf = { id: string; at: ReturnType<ApiDependencies["router"]["locate"]> };

const tags = ["WhatsApp"];
const responses = {
  202: { description: "The session", content: { "application/json": { schema: sessionSchema } } },
  ...problemResponses(...bodyProblems, "conflict", "upstream_timeout"),
};
/** A challenge is a short-lived credential and must not be cached. */
const noStore = { "cache-control": "no-store" };

/** The steps of a link with a passkey that the account's owner takes. */
export function passkeyRoutes({ db, router, shards }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  /** Runs a step on the business's shard. */
  const onShard = async (scope: BusinessScope, step: (shard: ShardOf) => Promise<SessionView>) => {
    const business = await getBusiness(scope);
    if (!business) throw noSuchBusiness();
    try {
      if (business.whatsapp_shard !== null)
        return liveSessionView(await step({ id: business.id, at: router.locate(business) }), true);
    } catch (error) {
      if (!(error instanceof AppError && error.code === "not_found")) throw error;
    }
    throw new AppError("conflict", "The session is disconnected and waits for no passkey. Connect it first.");
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/passkey/assertion",
      tags,
      summary: "Send a passkey assertion",
      description:
        'Hands WhatsApp the answer to `passkey.options`, while the status is "passkey" and the step "assertion". The ' +
        "same assertion again changes nothing. If WhatsApp refuses it, the session gets a new challenge and a reason.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: assertionSchema } } },
      },
      responses,
    }),
    async (c) => {
      const assertion = c.req.valid("json");
      const view = await onShard(c.var.business, ({ id, at }) => shards.assertPasskey(at, id, assertion));
      return c.json(view, 202, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/passkey/confirm",
      tags,
      summary: "Confirm a passkey code",
      description:
        'Confirms that the phone shows the same code as the session, while the step is "confirmation". The same ' +
        "confirmation again changes nothing. If the codes differ, log out instead: somebody may be in between.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: confirmationSchema } } },
      },
      responses,
    }),
    async (c) => {
      const { code } = c.req.valid("json");
      const view = await onShard(c.var.business, ({ id, at }) => shards.confirmPasskey(at, id, code));
      return c.json(view, 202, noStore);
    },
  );

  return app;
}
