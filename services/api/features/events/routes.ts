import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AppError } from "../../../../lib/core/errors.ts";
import { forBusiness, getBusiness } from "../../../../lib/db/index.ts";
import { idForm } from "../../../../lib/events/index.ts";
import { enforceReaderRate } from "../../../../lib/runtime/body_rate.ts";
import { once, Slots } from "../../../../lib/runtime/slots.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { Authenticator } from "../../http/auth/authenticator.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { describeStreamScopes, maySee, streamScopes } from "./scopes.ts";
import { pairingSnapshots } from "./pairing_snapshots.ts";
import { shardSnapshots } from "./shard_snapshots.ts";
import { encodeEvents } from "./stream.ts";
import type { SnapshotSource } from "./stream.ts";
import type { ApiLimits } from "../../http/limits.ts";
import { problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const headers = z.object({
  "last-event-id": z.string().regex(idForm, "must be the id of an event, unchanged").optional().openapi({
    description: "Resumes the stream after this event. Browsers send it when they reconnect.",
    example: "1772366400000-0",
  }),
});
const streamAnswer = {
  200: {
    description: "An endless stream of server-sent events",
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
  "Streams the same events as webhooks. Their data are ids, statuses and short fields: `text` is shortened to an " +
  "`excerpt` of 120 characters, and content and files are omitted, so fetch the message for them. The last 1,000 " +
  "events or 256 KB of a business are kept for up to a day. The event `reset` reports a gap: fetch your data again.";

/** The part of Hono's context that a stream reads. */
type StreamContext = { var: Authenticated["Variables"]; body: Context["body"] };

export function eventRoutes(
  dependencies: ApiDependencies,
  authenticator: Authenticator,
  limits: ApiLimits,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const { db, feed, metrics } = dependencies;
  const { share, shareOfKey, total, reserved = 0, stallMs } = limits.streams;
  const open = new Slots({ total, share, reserved });
  const openOfKey = new Slots({ total, share: shareOfKey });
  metrics.gauge("api_event_streams", "Open event streams.", [], (gauge) => gauge.set(open.inUse));
  const stalled = metrics.counter(
    "api_event_streams_stalled_total",
    "Event streams cut off because their reader stopped reading.",
  );

  /** Acquires a slot of the replica, the business and the key. Returns the function that releases them. */
  const takeSlots = (businessId: string | null, keyId: string): (() => void) => {
    const owner = businessId ?? undefined;
    const refusal = open.take(owner);
    if (refusal === "full")
      throw new AppError("unavailable", "Too many event streams are open. Retry shortly.", { retryAfterS: 5 });
    if (refusal === "share") {
      const detail = "This business has reached its share of open event streams. Close some: one carries every event.";
      throw new AppError("rate_limited", detail, { retryAfterS: 5 });
    }
    if (openOfKey.take(keyId) !== null) {
      open.giveBack(owner);
      throw new AppError("rate_limited", `This key has ${shareOfKey} open event streams. Close some.`, {
        retryAfterS: 5,
      });
    }
    return once(() => {
      open.giveBack(owner);
      openOfKey.giveBack(keyId);
    });
  };

  /** Opens an event stream. It holds its slots until the response body ends. */
  const stream = async (
    c: StreamContext,
    businessId: string | null,
    lastId: string | undefined,
    snapshots: SnapshotSource | undefined,
  ) => {
    const { principal } = c.var;
    const giveBack = takeSlots(businessId, principal.keyId);
    const subscription = await feed.subscribe(businessId, lastId).catch((error: unknown) => {
      giveBack();
      throw error;
    });
    const gone = new AbortController();
    const options = {
      subscription,
      snapshots,
      isAuthorized: revalidate(c.var),
      isVisible: (event: string) => maySee(principal, event),
    };
    const body = enforceReaderRate(encodeEvents(options, gone.signal), { minBytes: 1, windowMs: stallMs }, (cutOff) => {
      if (cutOff) stalled.inc();
      gone.abort();
      subscription.close();
      giveBack();
    });
    return c.body(body, 200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  };

  /** True if the credential is still valid. Keeps the stream open while the database is unavailable. */
  const revalidate =
    ({ credential, principal }: Authenticated["Variables"]) =>
    async () => {
      const found = await Promise.all([
        authenticator.identify(credential),
        authenticator.identifySession(credential),
      ]).catch(() => [principal]);
      return found.some((current) => current?.keyId === principal.keyId);
    };

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/events",
      tags: ["Events"],
      summary: "Stream events of a business",
      description:
        `${common}\n\nA key receives the events that its scopes include, and needs at least one of them: ` +
        `${describeStreamScopes()}. While a phone is being paired, keys with the scope whatsapp:write also receive ` +
        "each new QR code or pairing code as `whatsapp.pairing`.",
      middleware: [businessAccess(db, ...streamScopes)] as const,
      request: { params: businessParams, headers },
      responses: { ...streamAnswer, ...problemResponses("invalid_request", "forbidden") },
    }),
    async (c) => {
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const mayPair = mayUse(c.var.principal, "whatsapp:write");
      // A scope without the request's deadline, because the stream outlives it.
      const business = forBusiness(db, c.var.business.businessId);
      const snapshots = mayPair ? pairingSnapshots(dependencies, business) : undefined;
      return stream(c, c.var.business.businessId, c.req.valid("header")["last-event-id"], snapshots);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/events",
      tags: ["Administration"],
      summary: "Stream events of all businesses",
      description: `${common}\n\nAlso sends \`shards.changed\` with the list of shards, first and after each change.`,
      middleware: [adminOnly] as const,
      request: { headers },
      responses: { ...streamAnswer, ...problemResponses("invalid_request") },
    }),
    (c) => stream(c, null, c.req.valid("header")["last-event-id"], shardSnapshots(dependencies.router)),
  );

  return app;
}
