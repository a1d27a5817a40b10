import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../lib/core/errors.ts";
import { bearer, requestLog } from "../../lib/runtime/http.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { notFound, problemHandler } from "../../lib/runtime/problem.ts";
import {
  batchRequest,
  connectRequest,
  journalAck,
  journalStreams,
  maxJournalPage,
  sessionAction,
  sessionSettings,
} from "../../lib/contracts/shard/schemas.ts";
import type {
  BatchMessage,
  JournalStream,
  SendResult as WireSendResult,
  SessionSummary,
  SessionView,
} from "../../lib/contracts/shard/schemas.ts";
import { bodyOf } from "./body.ts";
import { chatRoutes } from "./chats/routes.ts";
import { mediaRoutes } from "./media/routes.ts";
import type { Moving } from "./moving/moving.ts";
import { movingRoutes } from "./moving/routes.ts";
import { pacingRoutes } from "./pacing/routes.ts";
import type { Journal } from "./receiving/journal.ts";
import type { SendResult } from "./sending/result.ts";
import { passkeyRoutes } from "./session/passkey/routes.ts";
import type { Shard } from "./shard.ts";

export type AppOptions = {
  shard: Shard;
  moving: Moving;
  journal: Journal;
  token: string | readonly string[];
  /** The deployed version. */
  version?: string | undefined;
  logger: Logger;
  metrics: Metrics;
};

const businessId = z.object({ business_id: z.uuid() });
const stream = z.object({ stream: z.enum(Object.keys(journalStreams) as [JournalStream, ...JournalStream[]]) });
const page = z.object({ limit: z.coerce.number().int().min(1).max(maxJournalPage).default(maxJournalPage) });

/** The shard's internal API; lib/contracts/shard is the client. */
export function createApp({ version, shard, moving, journal, token, logger, metrics }: AppOptions): Hono {
  const app = new Hono();
  app.use(requestLog(logger, metrics));
  app.onError(problemHandler(logger));
  app.notFound(notFound);
  // Ports are reused, so a client may hold the address of another shard. Its token is that shard's: a 401 here would
  // look like a fault instead of a stale address.
  app.use(async (c, next) => {
    const meant = c.req.header("x-shard");
    if (meant !== undefined && meant !== `${shard.number}`) {
      throw new AppError("unavailable", `This is shard ${shard.number}, and the request is for shard ${meant}.`, {
        retryAfterS: 1,
      });
    }
    await next();
  });
  app.use("/sessions/*", bearer(token));
  app.use("/journal/*", bearer(token));
  app.use("/moves/*", bearer(token));
  app.route("/moves", movingRoutes(moving));

  app.get("/sessions", (c) =>
    c.json({
      data: shard.sessions().map((session) => summaryOf(session.view())),
      messages_per_minute: shard.messagesPerMinute,
      version: version ?? null,
    }),
  );

  app.post("/sessions/:business_id/connect", async (c) => {
    const { business_id } = businessId.parse(c.req.param());
    const request = await bodyOf(c.req.raw, connectRequest);
    return c.json(shard.connect(business_id, request).view(), 202);
  });

  app.put("/sessions/:business_id/settings", async (c) => {
    const { business_id } = businessId.parse(c.req.param());
    shard.get(business_id).configure(await bodyOf(c.req.raw, sessionSettings));
    return c.body(null, 204);
  });

  for (const action of sessionAction.options) {
    app.post(`/sessions/:business_id/${action}`, (c) => {
      const { business_id } = businessId.parse(c.req.param());
      return c.json(shard.control(business_id, action).view(), 202);
    });
  }

  app.get("/sessions/:business_id", (c) => {
    const { business_id } = businessId.parse(c.req.param());
    return c.json(shard.get(business_id).view());
  });

  app.delete("/sessions/:business_id", async (c) => {
    const { business_id } = businessId.parse(c.req.param());
    await shard.logout(business_id);
    return c.body(null, 204);
  });

  app.post("/sessions/:business_id/messages", async (c) => {
    const { business_id } = businessId.parse(c.req.param());
    const { messages, pacing, follows_accounts } = await bodyOf(c.req.raw, batchRequest);
    const results = await shard.get(business_id).send(messages, pacing, follows_accounts);
    const now = Date.now();
    return c.json({ results: messages.map((message, i) => wireResult(message, results[i]!, now)) });
  });

  app.route("/sessions", chatRoutes(shard));
  app.route("/sessions", mediaRoutes(shard));
  app.route("/sessions", pacingRoutes(shard));
  app.route("/sessions", passkeyRoutes(shard));

  app.get("/journal/:stream", (c) => {
    const { stream: name } = stream.parse(c.req.param());
    const { limit } = page.parse(c.req.query());
    return c.json(journal.read(name, limit));
  });

  app.post("/journal/:stream/ack", async (c) => {
    const { stream: name } = stream.parse(c.req.param());
    const { through } = await bodyOf(c.req.raw, journalAck);
    await journal.acknowledge(name, through);
    return c.body(null, 204);
  });

  return app;
}

/** A list contains no codes and no challenges: anyone who sees one can link a phone. */
function summaryOf(view: SessionView): SessionSummary {
  const { qr: _qr, qr_expires_at: _expires, code: _code, passkey: _passkey, ...summary } = view;
  return summary;
}

/** `now`: the same for all results of a batch, so that their waits differ as their times do. */
function wireResult({ id, wa_message_id }: BatchMessage, result: SendResult, now: number): WireSendResult {
  switch (result.status) {
    case "sent":
      return {
        id,
        wa_message_id,
        status: "sent",
        sent_at: new Date(result.at).toISOString(),
        ...(result.recipients === undefined ? {} : { recipients: result.recipients }),
      };
    case "failed":
      return { id, wa_message_id, status: "failed", error: result.error };
    case "retry":
      return {
        id,
        wa_message_id,
        status: "retry",
        ...(result.waitMs === undefined ? {} : { wait_ms: Math.ceil(result.waitMs) }),
        ...(result.account === undefined ? {} : { account: result.account }),
        ...(result.error === undefined ? {} : { error: result.error }),
      };
    case "paced":
      return {
        id,
        wa_message_id,
        status: "paced",
        wait_ms: Math.max(0, Math.ceil(result.notBefore - now)),
        holds: result.holds,
      };
  }
}
