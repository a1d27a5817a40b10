import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness, getMessage, noteRead, unreadUpTo } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { maxRead } from "../../../../lib/contracts/shard/index.ts";
import type { ShardChats, ShardLocation } from "../../../../lib/contracts/shard/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { checkedNumbers, numbersToCheck, picture, pictureQuery, presence } from "./schemas.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { businessParams, parseId, messageParams } from "../../http/params.ts";

const tags = ["Chats"];
const shardProblems = ["forbidden", "conflict", "upstream_timeout"] as const;

/** Requests to an open session other than sending messages. */
export function chatRoutes({ db, router, chats }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  /** Calls the shard of a business. Throws "conflict" if the business has no session there. */
  const callShard = async <T>(
    scope: BusinessScope,
    call: (chats: ShardChats, at: ShardLocation) => Promise<T>,
  ): Promise<T> => {
    const business = await getBusiness(scope);
    if (!business) throw noSuchBusiness();
    if (business.whatsapp_shard === null) throw notConnected();
    try {
      return await call(chats, router.locate(business));
    } catch (error) {
      if (error instanceof AppError && error.code === "not_found") throw notConnected();
      throw error;
    }
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/presence",
      tags,
      summary: "Send a presence update",
      description:
        "Shows the business as available, or as typing or recording in a chat. Phones show typing and recording for " +
        "about 25 seconds, so repeat the request while it lasts.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: presence } } },
      },
      responses: {
        204: { description: "The presence was sent" },
        ...problemResponses(...bodyProblems, ...shardProblems),
      },
    }),
    async (c) => {
      const { businessId } = c.var.business;
      await callShard(c.var.business, (shard, at) => shard.showPresence(at, businessId, c.req.valid("json")));
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/messages/{message_id}/read",
      tags,
      summary: "Mark messages as read",
      description:
        "Marks a received message and the earlier ones in its chat as read. The senders see read receipts, unless " +
        "the business has disabled them on its phone.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: { params: messageParams },
      responses: { 204: { description: "The messages are marked as read" }, ...problemResponses(...shardProblems) },
    }),
    async (c) => {
      const scope = c.var.business;
      const id = parseId(c.req.valid("param").message_id);
      const message = id === undefined ? undefined : await getMessage(scope, id);
      if (!message) throw noSuch("message");
      const unread = await unreadUpTo(scope, message, maxRead);
      if (unread.length > 0) {
        const request = {
          chat: message.chat,
          messages: unread.map(({ wa_message_id, sender }) => ({ wa_message_id, sender })),
        };
        await callShard(scope, (shard, at) => shard.markRead(at, scope.businessId, request));
        await noteRead(
          scope,
          unread.map((each) => each.id),
        );
      }
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/whatsapp/numbers/check",
      tags,
      summary: "Check phone numbers",
      description: "Returns for each phone number whether it has a WhatsApp account.",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: numbersToCheck } } },
      },
      responses: {
        200: {
          description: "One result per phone number",
          content: { "application/json": { schema: checkedNumbers } },
        },
        ...problemResponses(...bodyProblems, ...shardProblems),
      },
    }),
    async (c) => {
      const { numbers } = c.req.valid("json");
      const checked = await callShard(c.var.business, (shard, at) =>
        shard.checkNumbers(at, c.var.business.businessId, numbers),
      );
      return c.json(
        { data: checked.map(({ number, on_whatsapp, jid = null }) => ({ number, on_whatsapp, jid })) },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/whatsapp/picture",
      tags,
      summary: "Get a profile picture",
      description: "Returns the URL of the profile picture of a person or a group.",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: { params: businessParams, query: pictureQuery },
      responses: {
        200: { description: "The profile picture", content: { "application/json": { schema: picture } } },
        ...problemResponses("invalid_request", ...shardProblems),
      },
    }),
    async (c) => {
      const query = c.req.valid("query");
      const url = await callShard(c.var.business, (shard, at) =>
        shard.pictureUrl(at, c.var.business.businessId, query),
      );
      return c.json({ url }, 200);
    },
  );

  return app;
}

function notConnected(): AppError {
  return new AppError(
    "conflict",
    "This business has no linked phone. POST …/whatsapp/connect and scan the QR code first.",
  );
}
