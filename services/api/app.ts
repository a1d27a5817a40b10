import { OpenAPIHono } from "@hono/zod-openapi";
import type { Hono, MiddlewareHandler } from "hono";
import { AppError } from "../../lib/core/errors.ts";
import { parseNetworks } from "../../lib/core/networks.ts";
import { maxMediaBytes } from "../../lib/media/index.ts";
import { answersWithin } from "../../lib/runtime/deadline.ts";
import { check, operations, requestLog } from "../../lib/runtime/http.ts";
import { fieldFaults, problemHandler } from "../../lib/runtime/problem.ts";
import { admitRequest, admitUpload, receiveBody } from "./http/admission.ts";
import { countedSlots } from "./http/counted_slots.ts";
import { audited } from "./features/audit/middleware.ts";
import { createReadCounter } from "./features/audit/read_counter.ts";
import type { ReadCounter } from "./features/audit/read_counter.ts";
import { authenticate } from "./http/auth/guards.ts";
import type { Authenticated } from "./http/auth/guards.ts";
import { createFailedLogins } from "./http/auth/failed_logins.ts";
import { createAuthenticator } from "./http/auth/authenticator.ts";
import type { Authenticator } from "./http/auth/authenticator.ts";
import type { ApiDependencies } from "./backend/dependencies.ts";
import { publishDocument } from "./docs/document.ts";
import { createQuotas } from "./features/quotas/quotas.ts";
import { deadlineMs } from "./http/deadlines.ts";
import { knownQuery, unknownRoute } from "./http/known_requests.ts";
import { usePlainMessages } from "./http/zod_messages.ts";
import { apiLimits } from "./http/limits.ts";
import { rateLimited } from "./http/rate_limits.ts";
import { adminCallRoutes } from "./features/calls/admin_routes.ts";
import { adminKeyRoutes } from "./features/keys/admin_routes.ts";
import { operationRoutes } from "./features/operations/routes.ts";
import { auditRoutes } from "./features/audit/routes.ts";
import { broadcastRecipientRoutes } from "./features/broadcasts/recipient_routes.ts";
import { broadcastRoutes } from "./features/broadcasts/routes.ts";
import { businessRoutes } from "./features/businesses/routes.ts";
import { callRoutes } from "./features/calls/routes.ts";
import { callSettingsRoutes } from "./features/calls/settings_routes.ts";
import { consoleRoutes } from "./features/console/routes.ts";
import { quarantineRoutes } from "./features/quarantine/routes.ts";
import { deadLetterRoutes } from "./features/dead_letters/routes.ts";
import { eventRoutes } from "./features/events/routes.ts";
import { keyRoutes } from "./features/keys/routes.ts";
import { chatRoutes } from "./features/chats/routes.ts";
import { fileRoutes } from "./features/media/file_routes.ts";
import { mediaRoutes } from "./features/media/routes.ts";
import { messageRoutes } from "./features/messages/routes.ts";
import { meRoutes } from "./features/me/routes.ts";
import { moveRoutes } from "./features/moves/routes.ts";
import { optOutRoutes } from "./features/opt_outs/routes.ts";
import { quotaRoutes } from "./features/quotas/routes.ts";
import { phoneNumberRoutes } from "./features/phone_numbers/routes.ts";
import { webhookDeliveryRoutes } from "./features/webhooks/delivery_routes.ts";
import { webhookRoutes } from "./features/webhooks/routes.ts";
import { pacingRoutes } from "./features/pacing/routes.ts";
import { passkeyRoutes } from "./features/sessions/passkey_routes.ts";
import { sessionControlRoutes } from "./features/sessions/control_routes.ts";
import { sessionRoutes } from "./features/sessions/routes.ts";
import { wellFormedText } from "./http/text_rule.ts";
import { createApiPublisher } from "./backend/publisher.ts";
import { createWakeUps } from "./backend/wake_ups.ts";
import type { WakeUps } from "./backend/wake_ups.ts";

/** The longest text with every character escaped, plus the other fields of the request. */
const maxBodyBytes = 512 * 1024;

/** Overhead of multipart/form-data: boundaries, headers and a few small fields. */
const maxEnvelopeBytes = 64 * 1024;

/** A table of 100,000 recipients with some fields each. */
const maxTableBytes = 16 * 1024 * 1024;

export type Api = {
  app: OpenAPIHono<Authenticated>;
  /** /health, /ready and /metrics, which listen on a separate port. */
  operational: Hono;
  wakeUps: WakeUps;
  authenticator: Authenticator;
  readCounter: ReadCounter;
};

/** Builds the API over its dependencies. Does not listen. */
export function createApp(dependencies: ApiDependencies): Api {
  const { clock, db, logger, metrics, metricsToken, publicUrl } = dependencies;
  const limits = { ...apiLimits(), ...dependencies.limits };
  const authenticator = createAuthenticator(db, dependencies.keys);
  const readCounter = createReadCounter(db, logger, metrics);
  const failedLogins = createFailedLogins(metrics);
  const wakeUps = createWakeUps(dependencies.producer, logger, metrics);
  const publishEvents = createApiPublisher(dependencies, wakeUps);
  const { outboxQuota, mediaQuota, readQuotas } = createQuotas(dependencies);

  usePlainMessages();
  const app = new OpenAPIHono<Authenticated>({
    defaultHook: (result) => {
      if (result.success) return;
      throw new AppError("invalid_request", "Some fields of the request are invalid. See `errors`.", {
        faults: fieldFaults(result.error),
      });
    },
  });
  app.onError(problemHandler(logger));
  app.notFound(unknownRoute(app));
  app.use(
    requestLog(logger, metrics, "strangers"),
    answersWithin(dependencies.deadlineMs ?? deadlineMs),
    cancelHeadBody,
  );
  const ready = () => Promise.all([check("postgres", () => db.ping()), ...(clock ? [clock.check()] : [])]);
  const operational = operations({ ready, metrics, metricsToken, logger });

  const document = publishDocument(app, publicUrl);
  app.route("/", fileRoutes(dependencies, limits));
  const edge = dependencies.edge ?? parseNetworks([]);
  app.use(
    "/v1/*",
    authenticate({
      authenticator,
      failedLogins,
      lookups: countedSlots("authenticating", limits.authenticating, metrics, "address"),
      edge,
      origin: new URL(publicUrl).origin,
    }),
    rateLimited(dependencies.rateLimiter, logger, metrics),
    receiveBody(limits, metrics, maxBodyBytes),
    admitRequest(limits, metrics),
    admitUpload(limits, metrics, { file: maxMediaBytes + maxEnvelopeBytes, table: maxTableBytes }),
    audited({ db, edge }, readCounter, logger),
    wellFormedText,
    knownQuery(document),
  );
  app.route("/v1", businessRoutes(dependencies, authenticator));
  app.route("/v1", meRoutes());
  app.route("/v1", quotaRoutes(dependencies, readQuotas));
  app.route("/v1", keyRoutes(dependencies, authenticator));
  app.route("/v1", sessionRoutes(dependencies));
  app.route("/v1", passkeyRoutes(dependencies));
  app.route("/v1", sessionControlRoutes(dependencies));
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
  app.route("/v1", callSettingsRoutes(dependencies));
  app.route("/v1", phoneNumberRoutes(dependencies));
  app.route("/v1", operationRoutes(dependencies));
  app.route("/v1", adminCallRoutes(dependencies));
  app.route("/v1", moveRoutes(dependencies, wakeUps));
  app.route("/v1", deadLetterRoutes(dependencies));
  app.route("/v1", quarantineRoutes(dependencies, wakeUps));
  app.route("/v1", adminKeyRoutes(dependencies, authenticator));
  app.route("/v1", auditRoutes(dependencies));
  app.route("/v1", eventRoutes(dependencies, authenticator, limits));
  app.route("/v1", consoleRoutes(dependencies, authenticator));
  return { app, operational, wakeUps, authenticator, readCounter };
}

/** Hono answers HEAD with GET and drops the body. Cancels it, because an unread stream would never end. */
const cancelHeadBody: MiddlewareHandler = async (c, next) => {
  await next();
  if (c.req.method === "HEAD") await c.res.body?.cancel();
};
