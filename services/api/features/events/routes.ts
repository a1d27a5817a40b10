import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness } from "../../../../lib/db/index.ts";
import { idForm } from "../../../../lib/events/index.ts";
import { pacedResponse } from "../../../../lib/runtime/paced.ts";
import { once, Slots } from "../../../../lib/runtime/slots.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { KeyRing } from "../../http/auth/key_ring.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { describeStreamScopes, maySee, streamScopes } from "./scopes.ts";
import { tellEvents } from "./tell.ts";
import type { Watch } from "./tell.ts";
import { watchPairing } from "./watch_pairing.ts";
import { watchShards } from "./watch_shards.ts";
import type { ApiLimits } from "../../http/limits.ts";
import { problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const headers = z.object({
  "last-event-id": z.string().regex(idForm, "must be the id of an event, as it was given").optional().openapi({
    description: "Go on after this event. Browsers send it by themselves when they reconnect.",
    example: "1772366400000-0",
  }),
});
const streamAnswer = {
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

/** What of a request's context a stream needs. */
type Streaming = { var: Authenticated["Variables"]; body: Context["body"] };

export function eventRoutes(
  dependencies: ApiDependencies,
  keyRing: KeyRing,
  limits: ApiLimits,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const { db, feed, metrics } = dependencies;
  const { share, shareOfKey, total, stallMs } = limits.streams;
  const open = new Slots({ total, share });
  const openOfKey = new Slots({ total, share: shareOfKey });
  metrics.gauge("api_event_streams", "Streams of events that are open.", [], (gauge) => gauge.set(open.inUse));
  const stalled = metrics.counter(
    "api_event_streams_stalled_total",
    "Streams of events that were cut off because their reader took nothing.",
  );

  /** Takes a slot of all, of the business and of the key; gives them back with the function that it returns. */
  const takeSlots = (businessId: string | null, keyId: string): (() => void) => {
    const owner = businessId ?? undefined;
    const refusal = open.take(owner);
    if (refusal === "full")
      throw new AppError("unavailable", "Too many streams of events are open; retry shortly.", { retryAfterS: 5 });
    if (refusal === "share") {
      const detail = `${share} streams of this business are open here; close some, one carries every event.`;
      throw new AppError("rate_limited", detail, { retryAfterS: 5 });
    }
    if (openOfKey.take(keyId) !== null) {
      open.giveBack(owner);
      throw new AppError("rate_limited", `${shareOfKey} streams of this key are open here; close some.`, {
        retryAfterS: 5,
      });
    }
    return once(() => {
      open.giveBack(owner);
      openOfKey.giveBack(keyId);
    });
  };

  /** A stream of events; its slots are held until the response's body ends. */
  const stream = async (
    c: Streaming,
    businessId: string | null,
    lastId: string | undefined,
    watch: Watch | undefined,
  ) => {
    const { principal } = c.var;
    const giveBack = takeSlots(businessId, principal.keyId);
    const subscription = await feed.subscribe(businessId, lastId).catch((error: unknown) => {
      giveBack();
      throw error;
    });
    const gone = new AbortController();
    const telling = {
      subscription,
      watch,
      mayStay: stillKnown(c.var),
      sees: (event: string) => maySee(principal, event),
    };
    const body = pacedResponse(tellEvents(telling, gone.signal), { minBytes: 1, windowMs: stallMs }, (cutOff) => {
      if (cutOff) stalled.inc();
      gone.abort();
      subscription.close();
      giveBack();
    });
    return c.body(body, 200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  };

  /** A database that cannot be asked takes nobody's stream away. */
  const stillKnown =
    ({ credential, principal }: Authenticated["Variables"]) =>
    async () => {
      const found = await Promise.all([keyRing.identify(credential), keyRing.identifySession(credential)]).catch(() => [
        principal,
      ]);
      return found.some((known) => known?.keyId === principal.keyId);
    };

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/events",
      tags: ["Events"],
      summary: "Watch a business",
      description: `${common} A key receives the events that its scopes cover: ${describeStreamScopes()}; with none of them it is refused. While a phone is being paired, \`whatsapp.pairing\` tells each new QR or code to keys with the scope whatsapp:write.`,
      middleware: [businessAccess(db, ...streamScopes)] as const,
      request: { params: businessParams, headers },
      responses: { ...streamAnswer, ...problemResponses("invalid_request", "forbidden") },
    }),
    async (c) => {
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const mayPair = mayUse(c.var.principal, "whatsapp:write");
      const watch = mayPair ? watchPairing(dependencies, c.var.business) : undefined;
      return stream(c, c.var.business.businessId, c.req.valid("header")["last-event-id"], watch);
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
      responses: { ...streamAnswer, ...problemResponses("invalid_request") },
    }),
    (c) => stream(c, null, c.req.valid("header")["last-event-id"], watchShards(dependencies.router)),
  );

  return app;
}
