import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, Hono, MiddlewareHandler } from "hono";
import { AppError, messageOf } from "../../lib/core/errors.ts";
import { parseNetworks } from "../../lib/core/networks.ts";
import { maxMediaBytes } from "../../lib/media/index.ts";
import { createMediaQuota, createOutboxQuota, defaultQuotas } from "../../lib/quotas/index.ts";
import { answersWithin } from "../../lib/runtime/deadline.ts";
import { check, operations, requestLog } from "../../lib/runtime/http.ts";
import { fieldFaults, notFound, problemHandler } from "../../lib/runtime/problem.ts";
import { withoutRepeats } from "../../lib/runtime/repeats.ts";
import { admitCaller, admitRequest, admitUpload, receiveBody } from "./http/admission.ts";
import { audited } from "./features/audit/middleware.ts";
import { createAuditReads } from "./features/audit/reads.ts";
import type { AuditReads } from "./features/audit/reads.ts";
import type { Authenticated } from "./http/auth/guards.ts";
import { createFailedLogins } from "./http/auth/failed_logins.ts";
import { createKeyRing } from "./http/auth/key_ring.ts";
import type { KeyRing } from "./http/auth/key_ring.ts";
import type { ApiDependencies } from "./backend/dependencies.ts";
import { publishDocument } from "./docs/document.ts";
import { apiLimits } from "./http/limits.ts";
import { rateLimited } from "./http/rate_limits.ts";
import { adminCallRoutes } from "./features/calls/admin_routes.ts";
import { adminKeyRoutes } from "./features/keys/admin_routes.ts";
import { adminRoutes } from "./features/operations/routes.ts";
import { auditRoutes } from "./features/audit/routes.ts";
import { broadcastRecipientRoutes } from "./features/broadcasts/recipient_routes.ts";
import { broadcastRoutes } from "./features/broadcasts/routes.ts";
import { businessRoutes } from "./features/businesses/routes.ts";
import { callRoutes } from "./features/calls/routes.ts";
import { consoleRoutes } from "./features/console/routes.ts";
import { deadLetterRoutes } from "./features/dead_letters/routes.ts";
import { eventRoutes } from "./features/events/routes.ts";
import { keyRoutes } from "./features/keys/routes.ts";
import { chatRoutes } from "./features/chats/routes.ts";
import { fileRoutes } from "./features/media/file_routes.ts";
import { mediaRoutes } from "./features/media/routes.ts";
import { messageRoutes } from "./features/messages/routes.ts";
import { moveRoutes } from "./features/moves/routes.ts";
import { optOutRoutes } from "./features/opt_outs/routes.ts";
import { phoneNumberRoutes } from "./features/phone_numbers/routes.ts";
import { webhookDeliveryRoutes } from "./features/webhooks/delivery_routes.ts";
import { webhookRoutes } from "./features/webhooks/routes.ts";
import { pacingRoutes } from "./features/pacing/routes.ts";
import { whatsappRoutes } from "./features/sessions/routes.ts";
import { wellFormedText } from "./http/text_rule.ts";
import { createApiPublisher } from "./backend/publisher.ts";
import { createWakeUps } from "./backend/wake_ups.ts";
import type { WakeUps } from "./backend/wake_ups.ts";

/** The longest text, every character of it escaped, and room for the rest of the request. */
export const maxBodyBytes = 512 * 1024;

/** What multipart/form-data may add to a file: its boundaries, headers and a few small fields. */
const maxEnvelopeBytes = 64 * 1024;

/** A hundred thousand recipients and some fields of each. */
export const maxUploadBytes = 16 * 1024 * 1024;

export type Api = {
  app: OpenAPIHono<Authenticated>;
  /** /health, /ready and /metrics, for a port of their own. */
  operational: Hono;
  wakeUps: WakeUps;
  keyRing: KeyRing;
  auditReads: AuditReads;
};

/** The whole API over its dependencies; it does not listen. */
export function createApp(dependencies: ApiDependencies): Api {
  const { clock, db, logger, metrics, metricsToken, publicUrl } = dependencies;
  const limits = { ...apiLimits(), ...dependencies.limits };
  const keyRing = createKeyRing(db, dependencies.keys);
  const auditReads = createAuditReads(db, logger, metrics);
  const failedLogins = createFailedLogins(metrics);
  const wakeUps = createWakeUps(dependencies.producer, logger, metrics);

  const publishEvents = createApiPublisher(dependencies, wakeUps);
  const { outboxQuota, mediaQuota } = createQuotas(dependencies);

  const app = new OpenAPIHono<Authenticated>({
    defaultHook: (result) => {
      if (result.success) return;
      throw new AppError("invalid_request", "Some fields of the request are not valid.", {
        faults: fieldFaults(result.error),
      });
    },
  });
  app.onError(problemHandler(logger));
  app.notFound(notFound);
  app.use(requestLog(logger, metrics), answersWithin(dependencies.deadlineMs ?? deadlineMs), endsBodyOfHead);
  const ready = () => Promise.all([check("postgres", () => db.ping()), ...(clock ? [clock.check()] : [])]);
  const operational = operations({ ready, metrics, metricsToken, logger });

  publishDocument(app, publicUrl);
  app.route("/", fileRoutes(dependencies, limits));
  app.use(
    "/v1/*",
    admitCaller(limits, metrics, {
      keyRing,
      failedLogins,
      edge: dependencies.edge ?? parseNetworks([]),
      origin: new URL(publicUrl).origin,
    }),
    rateLimited(dependencies.rateLimiter, logger, metrics),
    receiveBody(limits, metrics, maxBodyBytes),
    admitRequest(limits, metrics),
    admitUpload(limits, metrics, { file: maxMediaBytes + maxEnvelopeBytes, table: maxUploadBytes }),
    audited(db, auditReads, logger),
    wellFormedText,
  );
  app.route("/v1", businessRoutes(dependencies, keyRing));
  app.route("/v1", keyRoutes(dependencies, keyRing));
  app.route("/v1", whatsappRoutes(dependencies));
  app.route("/v1", messageRoutes(dependencies, wakeUps, outboxQuota));
  app.route("/v1", mediaRoutes(dependencies, wakeUps, mediaQuota));
  app.route("/v1", chatRoutes(dependencies));
  app.route("/v1", pacingRoutes(dependencies, wakeUps));
  app.route("/v1", broadcastRoutes(dependencies, wakeUps, outboxQuota, publishEvents));
  app.route("/v1", broadcastRecipientRoutes(dependencies, outboxQuota));
  app.route("/v1", optOutRoutes(dependencies));
  app.route("/v1", webhookRoutes(dependencies, wakeUps, publishEvents));
  app.route("/v1", webhookDeliveryRoutes(dependencies, wakeUps));
  app.route("/v1", callRoutes(dependencies));
  app.route("/v1", phoneNumberRoutes(dependencies));
  app.route("/v1", adminRoutes(dependencies));
  app.route("/v1", adminCallRoutes(dependencies));
  app.route("/v1", moveRoutes(dependencies, wakeUps));
  app.route("/v1", deadLetterRoutes(dependencies));
  app.route("/v1", adminKeyRoutes(dependencies, keyRing));
  app.route("/v1", auditRoutes(dependencies));
  app.route("/v1", eventRoutes(dependencies, keyRing, limits));
  app.route("/v1", consoleRoutes(dependencies, keyRing));
  return { app, operational, wakeUps, keyRing, auditReads };
}

function createQuotas({ db, logger, metrics, quotas: given }: ApiDependencies) {
  const quotas = { ...defaultQuotas, ...given };
  const refused = metrics.counter("api_quota_refused_total", "Requests refused because a quota was exceeded.", [
    "quota",
  ]);
  const report = withoutRepeats((error) =>
    logger.warn({ error: messageOf(error) }, "usage of quotas could not be read"),
  );
  const watch = { onRefused: (quota: string) => refused.inc({ quota }), onError: report };
  return {
    outboxQuota: createOutboxQuota(db, { messages: quotas.queuedMessages, bytes: quotas.queuedBytes }, watch),
    mediaQuota: createMediaQuota(db, quotas.mediaBytes, watch),
  };
}

/** Hono answers HEAD by GET and drops the body: a stream that nobody reads would never end. */
const endsBodyOfHead: MiddlewareHandler = async (c, next) => {
  await next();
  if (c.req.method === "HEAD") await c.res.body?.cancel();
};

/** A second below what the edge waits, so that the caller gets this API's answer. */
const usualDeadlineMs = 9_000;
/** 100 MiB at 350 KB a second, a slow mobile network. */
const uploadDeadlineMs = 300_000;
/** 100,000 recipients are read and written within 5 s; the rest is the transfer. */
const tableDeadlineMs = 55_000;

/** How long the response to a request may take to begin, in ms. */
function deadlineMs(c: Context): number {
  if (c.req.method !== "POST") return usualDeadlineMs;
  if (mediaPath.test(c.req.path)) return uploadDeadlineMs;
  return c.req.path.endsWith("/recipients/upload") ? tableDeadlineMs : usualDeadlineMs;
}

const mediaPath = /^\/v1\/businesses\/[^/]+\/media$/;
