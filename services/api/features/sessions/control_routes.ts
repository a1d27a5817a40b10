import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness } from "../../../../lib/db/index.ts";
import type { SessionAction } from "../../../../lib/contracts/shard/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { businessParams } from "../../http/params.ts";
import { problemResponses } from "../../http/problem.ts";
import { sessionSchema } from "./schemas.ts";
import { liveSessionView } from "./view.ts";

const loginInterval = "A session logs in on request once in 10 s; an earlier request is answered with 429.";

const texts = {
  stop: {
    summary: "Stop the WhatsApp session",
    description:
      "Closes the connection to WhatsApp without logging out. The session stays closed until it is started or " +
      "connected, also when its shard restarts or it moves to another shard. Queued messages wait, and messages to " +
      "the business wait at WhatsApp.",
  },
  start: {
    summary: "Start the WhatsApp session",
    description: `Opens a stopped session with its stored login. Does nothing if the session is open. ${loginInterval}`,
  },
  restart: {
    summary: "Restart the WhatsApp session",
    description:
      "Closes the connection to WhatsApp and opens another one with the stored login. A stopped session has to be " +
      `started instead. ${loginInterval}`,
  },
} as const satisfies Record<SessionAction, { summary: string; description: string }>;

/** Stops, starts and restarts a session without logging out. */
export function sessionControlRoutes({ db, router, shards }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  for (const action of Object.keys(texts) as SessionAction[]) {
    app.openapi(
      createRoute({
        method: "post",
        path: `/businesses/{business_id}/whatsapp/${action}`,
        tags: ["WhatsApp"],
        ...texts[action],
        middleware: [businessAccess(db, "whatsapp:write")] as const,
        request: { params: businessParams },
        responses: {
          202: { description: "The session", content: { "application/json": { schema: sessionSchema } } },
          ...problemResponses("forbidden", "conflict", "upstream_timeout"),
        },
      }),
      async (c) => {
        const business = await getBusiness(c.var.business);
        if (!business) throw noSuchBusiness();
        if (business.whatsapp_shard === null) throw neverConnected();
        try {
          const view = await shards.control(router.locate(business), business.id, action);
          return c.json(liveSessionView(view, true), 202, { "cache-control": "no-store" });
        } catch (error) {
          if (error instanceof AppError && error.code === "not_found") throw neverConnected();
          throw error;
        }
      },
    );
  }
  return app;
}

const neverConnected = () =>
  new AppError("conflict", "The business has no WhatsApp session: POST …/whatsapp/connect links a phone.");
