import { Hono } from "hono";
import { z } from "zod";
import { pacingSettings } from "../../../lib/contracts/shard/pacing.ts";
import type { Shard } from "../shard.ts";

const businessId = z.object({ business_id: z.uuid() });
const viewRequest = z.object({ settings: pacingSettings.nullable() });

/** The limits of accounts and their use; lib/contracts/shard/pacing.ts is the client. */
export function pacingRoutes(shard: Shard): Hono {
  const app = new Hono();
  const sessionOf = (param: unknown) => shard.get(businessId.parse(param).business_id);

  // POST, because it carries the business's limits, which only Postgres has.
  app.post("/:business_id/pacing/view", async (c) => {
    const { settings } = viewRequest.parse(await c.req.json().catch(() => undefined));
    return c.json(sessionOf(c.req.param()).pacing(settings));
  });

  app.delete("/:business_id/pacing/stops", (c) => {
    sessionOf(c.req.param()).resumePacing();
    return c.body(null, 204);
  });

  return app;
}
