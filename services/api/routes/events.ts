import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { streamSSE } from "hono/streaming";
import { AppError } from "../../../lib/core/errors.ts";
import { getBusiness } from "../../../lib/db/index.ts";
import { idForm } from "../../../lib/events/index.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../auth/guards.ts";
import type { Authenticated } from "../auth/guards.ts";
import type { KeyRing } from "../auth/key_ring.ts";
import { mayUse } from "../auth/principal.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { tellEvents } from "../events/tell.ts";
import { watchPairing } from "../events/watch_pairing.ts";
import { watchShards } from "../events/watch_shards.ts";
import { problemResponses } from "../schemas/problem.ts";
import { businessParams } from "./params.ts";

/** Streams of one replica: each is a connection kept open. One business cannot take them all. */
const maxStreams = 1_000;
const maxStreamsOfBusiness = 100;

const headers = z.object({
  "last-event-id": z
    .string()
    .regex(idForm, "must be the id of an event, as it was given")
    .optional()
    .openapi({ description: "Go on after this event. Browsers send it by themselves when they reconnect.", example: "1772366400000-0" }),
});
const stream = {
  200: {
    description: "Server-sent events, until the caller hangs up",
    content: {
      "text/event-stream": {
        schema: z.string().openapi({
          example:
            'id: 1772366400000-0\nevent: message.delivered\ndata: {"business_id":"…","at":"2026-03-01T12:00:00.000Z","data":{"message_id":"…"}}\n\n',
        }),
      },
    },
  },
};
const common =
  "The names are those of webhooks. The data are ids, statuses and short fields: `text` becomes an `excerpt` of 120 characters, and contents and files are left out; fetch the message for them. Past events are kept for up to a day, the last 1,000 or 256 KB of a business. After a gap comes the event `reset`: fetch what you show again.";

export function eventRoutes(dependencies: ApiDependencies, keyRing: KeyRing): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const { db, feed, metrics } = dependencies;
  let streams = 0;
  const streamsOf = new Map<string | null, number>();
  metrics.gauge("api_event_streams", "Streams of events that are open.", [], (gauge) => gauge.set(streams));

  const subscribe = async (businessId: string | null, lastId: string | undefined) => {
    if (streams >= maxStreams)
      throw new AppError("unavailable", "Too many streams of events are open; try again shortly.", { retryAfterS: 5 });
    if (businessId !== null && (streamsOf.get(businessId) ?? 0) >= maxStreamsOfBusiness) {
      const detail = `${maxStreamsOfBusiness} streams of this business are open here; close some, one tells everything.`;
      throw new AppError("rate_limited", detail, { retryAfterS: 5 });
    }
    const count = (change: number) => {
      streams += change;
      const ofBusiness = (streamsOf.get(businessId) ?? 0) + change;
      if (ofBusiness === 0) streamsOf.delete(businessId);
      else streamsOf.set(businessId, ofBusiness);
    };
    count(1);
    try {
      const subscription = await feed.subscribe(businessId, lastId);
      return { ...subscription, close: () => subscription.close(), over: () => count(-1) };
    } catch (error) {
      count(-1);
      throw error;
    }
  };

  /** A database that cannot be asked takes nobody's stream away. */
  const stillKnown =
    ({ credential, principal }: Authenticated["Variables"]) =>
    async () => {
      const found = await Promise.all([keyRing.identify(credential), keyRing.identifySession(credential)]).catch(() => [principal]);
      return found.some((known) => known?.keyId === principal.keyId);
    };

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/events",
      tags: ["Events"],
      summary: "Watch a business",
      description: `${common} While a phone is being paired, \`whatsapp.pairing\` tells each new QR or code to keys with the scope whatsapp:write.`,
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: businessParams, headers },
      responses: { ...stream, ...problemResponses("invalid_request") },
    }),
    async (c) => {
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const mayPair = mayUse(c.var.principal, "whatsapp:write");
      const subscription = await subscribe(c.var.business.businessId, c.req.valid("header")["last-event-id"]);
      const watch = mayPair ? watchPairing(dependencies, c.var.business) : undefined;
      return streamSSE(c, (sse) => tellEvents(sse, { subscription, watch, mayStay: stillKnown(c.var) }));
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/events",
      tags: ["Administration"],
      summary: "Watch every business and the shards",
      description: `${common} \`shards.changed\` tells which shards there are, at first and whenever that changes.`,
      middleware: [adminOnly] as const,
      request: { headers },
      responses: { ...stream, ...problemResponses("invalid_request") },
    }),
    async (c) => {
      const subscription = await subscribe(null, c.req.valid("header")["last-event-id"]);
      const watch = watchShards(dependencies.router);
      return streamSSE(c, (sse) => tellEvents(sse, { subscription, watch, mayStay: stillKnown(c.var) }));
    },
  );

  return app;
}
