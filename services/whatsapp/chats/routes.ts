import { Hono } from "hono";
import { z } from "zod";
import { numbersRequest, pictureQuery, presenceRequest, readRequest } from "../../../lib/contracts/shard/chats.ts";
import { bodyOf } from "../body.ts";
import type { Shard } from "../shard.ts";
import { checkNumbers } from "./numbers.ts";
import { pictureOf } from "./picture.ts";
import { showPresence } from "./presence.ts";
import { markRead } from "./read.ts";

const businessId = z.object({ business_id: z.uuid() });

/** Queries and commands of an open session other than messages. */
export function chatRoutes(shard: Shard): Hono {
  const app = new Hono();
  const sessionOf = (param: unknown) => shard.get(businessId.parse(param).business_id);

  app.post("/:business_id/presence", async (c) => {
    const request = await bodyOf(c.req.raw, presenceRequest);
    await sessionOf(c.req.param()).use((open) => showPresence(open, request));
    return c.body(null, 204);
  });

  app.post("/:business_id/read", async (c) => {
    const request = await bodyOf(c.req.raw, readRequest);
    await sessionOf(c.req.param()).use((open) => markRead(open, request));
    return c.body(null, 204);
  });

  app.post("/:business_id/numbers", async (c) => {
    const { numbers } = await bodyOf(c.req.raw, numbersRequest);
    return c.json({ data: await sessionOf(c.req.param()).use((open) => checkNumbers(open, numbers)) });
  });

  app.get("/:business_id/picture", async (c) => {
    const { of, size } = pictureQuery.parse(c.req.query());
    return c.json({ url: await sessionOf(c.req.param()).use((open) => pictureOf(open, of, size)) });
  });

  return app;
}
