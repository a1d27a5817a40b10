import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { adminOnly } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { listShards } from "./list_shards.ts";
import { queueSchema, shardSchema } from "./schemas.ts";
import { queueView } from "./view.ts";
import { problemResponses } from "../../http/problem.ts";

const tags = ["Administration"];

export function operationRoutes({ router, shards, queueDepths }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/shards",
      tags,
      summary: "List shards",
      description: "Returns the status of every WhatsApp shard.",
      middleware: [adminOnly] as const,
      responses: {
        200: {
          description: "All shards",
          content: { "application/json": { schema: z.object({ data: z.array(shardSchema) }) } },
        },
        ...problemResponses(),
      },
    }),
    async (c) => c.json({ data: await listShards({ router, shards }) }, 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/queues",
      tags,
      summary: "List queues",
      description: "Returns the number of jobs of each queue by state.",
      middleware: [adminOnly] as const,
      responses: {
        200: {
          description: "All queues",
          content: { "application/json": { schema: z.object({ data: z.array(queueSchema) }) } },
        },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const depths = await queueDepths();
      return c.json({ data: depths.map(queueView) }, 200);
    },
  );

  return app;
}
