import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { bundleQuery, bundleType, moveOrder, moveOrderQuery } from "../../../lib/contracts/shard/moves.ts";
import type { MoveOrder } from "../../../lib/contracts/shard/moves.ts";
import { bodyOf } from "../body.ts";
import type { Moving } from "./moving.ts";

const businessId = z.object({ business_id: z.uuid() });

/** The internal API for movers; lib/contracts/shard/moves.ts is the client. */
export function movingRoutes(moving: Moving): Hono {
  const app = new Hono();
  const id = (params: Record<string, string>) => businessId.parse(params).business_id;

  const route = (step: string, execute: (businessId: string, order: MoveOrder) => Promise<void>) =>
    app.post(`/:business_id/${step}`, async (c) => {
      await execute(id(c.req.param()), await bodyOf(c.req.raw, moveOrder));
      return c.body(null, 204);
    });

  app.get("/", (c) => c.json(moving.departures()));
  app.post("/:business_id/stop", async (c) =>
    c.json(await moving.stop(id(c.req.param()), await bodyOf(c.req.raw, moveOrder))),
  );
  app.post("/:business_id/key", async (c) => {
    const key = await moving.key(id(c.req.param()), await bodyOf(c.req.raw, moveOrder));
    return c.json({ key: Buffer.from(key).toString("base64url") });
  });
  app.get("/:business_id/bundle", async (c) => {
    const { key, ...order } = bundleQuery.parse(c.req.query());
    const bundle = await moving.bundle(id(c.req.param()), order, Buffer.from(key, "base64url"));
    return c.body(bundle, 200, { "content-type": bundleType });
  });
  app.put("/:business_id/bundle", async (c) => {
    if (c.req.header("content-type") !== bundleType)
      throw new AppError("unsupported_media_type", `A bundle is ${bundleType}.`);
    const bytes = new Uint8Array(await c.req.arrayBuffer());
    return c.json({ checksum: await moving.take(id(c.req.param()), moveOrderQuery.parse(c.req.query()), bytes) });
  });
  route("tombstone", (business, order) => moving.tombstone(business, order));
  route("open", (business, order) => moving.open(business, order));
  route("reopen", (business, order) => moving.reopen(business, order));
  route("discard", (business, order) => moving.discard(business, order));
  return app;
}
