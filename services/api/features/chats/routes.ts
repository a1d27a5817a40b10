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
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams, knownForm, messageParams } from "../../http/params.ts";

const tags = ["Chats"];
const asked = ["forbidden", "conflict", "upstream_timeout"] as const;

/** What is asked of a business's open WhatsApp beside messages. */
export function chatRoutes({ db, router, chats }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const ask = async <T>(
    scope: BusinessScope,
    question: (chats: ShardChats, at: ShardLocation) => Promise<T>,
  ): Promise<T> => {
    const business = await getBusiness(scope);
    if (!business) throw noSuchBusiness();
    if (business.whatsapp_shard === null) throw notConnected();
    try {
      return await question(chats, router.locate(business));
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
      summary: "Show the business as available, or as typing in a chat",
      description: "Phones show what is typed or recorded for some 25 seconds at most: repeat it while it lasts.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: presence } } },
      },
      responses: { 204: { description: "Shown" }, ...problemResponses(...bodyProblems, ...asked) },
    }),
    async (c) => {
      const { businessId } = c.var.business;
      await ask(c.var.business, (shard, at) => shard.showPresence(at, businessId, c.req.valid("json")));
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/messages/{message_id}/read",
      tags,
      summary: "Mark a received message as read, and those before it in its chat",
      description: "The writers see it, unless the business has read receipts off on its phone.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: { params: messageParams },
      responses: { 204: { description: "Marked" }, ...problemResponses(...asked) },
    }),
    async (c) => {
      const scope = c.var.business;
      const id = knownForm(c.req.valid("param").message_id);
      const message = id === undefined ? undefined : await getMessage(scope, id);
      if (!message) throw new AppError("not_found", "There is no such message.");
      const unread = await unreadUpTo(scope, message, maxRead);
      if (unread.length > 0) {
        const request = {
          chat: message.chat,
          messages: unread.map(({ wa_message_id, sender }) => ({ wa_message_id, sender })),
        };
        await ask(scope, (shard, at) => shard.markRead(at, scope.businessId, request));
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
      summary: "Check which numbers have a WhatsApp account",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: numbersToCheck } } },
      },
      responses: {
        200: { description: "The numbers", content: { "application/json": { schema: checkedNumbers } } },
        ...problemResponses(...bodyProblems, ...asked),
      },
    }),
    async (c) => {
      const { numbers } = c.req.valid("json");
      const checked = await ask(c.var.business, (shard, at) =>
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
      summary: "Find the profile picture of a person or a group",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: { params: businessParams, query: pictureQuery },
      responses: {
        200: { description: "Where it is", content: { "application/json": { schema: picture } } },
        ...problemResponses("invalid_request", ...asked),
      },
    }),
    async (c) => {
      const query = c.req.valid("query");
      const url = await ask(c.var.business, (shard, at) => shard.pictureUrl(at, c.var.business.businessId, query));
      return c.json({ url }, 200);
    },
  );

  return app;
}

function notConnected(): AppError {
  return new AppError(
    "conflict",
    "This business has no paired WhatsApp: POST …/whatsapp/connect and scan the QR first.",
  );
}
