import { Hono } from "hono";
import { z } from "zod";
import { mediaConnectionRequest, reuploadRequest } from "../../../lib/contracts/shard/media.ts";
import { bodyOf } from "../body.ts";
import type { Shard } from "../shard.ts";
import { mediaConnection } from "./media_connection.ts";
import { reupload } from "./reupload.ts";

const businessId = z.object({ business_id: z.uuid() });

/** Queries of an open session for the files of its messages. */
export function mediaRoutes(shard: Shard): Hono {
  const app = new Hono();
  const sessionOf = (param: unknown) => shard.get(businessId.parse(param).business_id);

  app.post("/:business_id/media_connection", async (c) => {
    const { renew } = await bodyOf(c.req.raw, mediaConnectionRequest);
    const { auth, hosts } = await mediaConnection(sessionOf(c.req.param()), renew);
    return c.json({ auth, hosts: hosts.map(({ hostname }) => hostname) });
  });

  app.post("/:business_id/reupload", async (c) => {
    const request = await bodyOf(c.req.raw, reuploadRequest);
    return c.json({ direct_path: await sessionOf(c.req.param()).use((open) => reupload(open, request)) });
  });

  return app;
}
