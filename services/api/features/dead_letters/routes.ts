import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { queueNames } from "../../../../lib/queues/index.ts";
import type { QueueName } from "../../../../lib/queues/index.ts";
import { adminOnly } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { deadLetterParams, deadLetterQuery, deadLetterSchema, queueParams, replaySchema } from "./schemas.ts";
import { deadLetterView } from "./view.ts";
import { numberCursorOf } from "../../http/number_cursor.ts";
import { pageAnswer } from "../../http/page.ts";
import { problemResponses } from "../../http/problem.ts";

const tags = ["Administration"];

export function deadLetterRoutes({ deadLetters }: Pick<ApiDependencies, "deadLetters">): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/queues/{name}/dead",
      tags,
      summary: "List dead letters",
      description: "Returns the jobs of a queue that exhausted their attempts, the newest first.",
      middleware: [adminOnly] as const,
      request: { params: queueParams, query: deadLetterQuery },
      responses: {
        200: pageAnswer("A page of dead letters", deadLetterSchema),
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { cursor: offset = 0, limit } = c.req.valid("query");
      const { letters, total } = await deadLetters.list(knownQueue(c.req.valid("param").name), { offset, limit });
      const next = offset + limit;
      return c.json(
        { data: letters.map(deadLetterView), next_cursor: next < total ? numberCursorOf(next) : null },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/queues/{name}/dead/{job_id}/replay",
      tags,
      summary: "Replay a dead letter",
      description: "Enqueues the job again and removes the dead letter. If the job fails again, it dies again.",
      middleware: [adminOnly] as const,
      request: { params: deadLetterParams },
      responses: { 204: { description: "The job is enqueued" }, ...problemResponses("conflict") },
    }),
    async (c) => {
      const { name, job_id } = c.req.valid("param");
      await deadLetters.replay(knownQueue(name), job_id);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/queues/{name}/dead/replay",
      tags,
      summary: "Replay all dead letters",
      description: "Enqueues the jobs of all dead letters of a queue again.",
      middleware: [adminOnly] as const,
      request: { params: queueParams },
      responses: {
        200: { description: "The number of replayed jobs", content: { "application/json": { schema: replaySchema } } },
        ...problemResponses(),
      },
    }),
    async (c) => c.json(await deadLetters.replayAll(knownQueue(c.req.valid("param").name)), 200),
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/admin/queues/{name}/dead/{job_id}",
      tags,
      summary: "Discard a dead letter",
      description: "Removes the dead letter without running its job.",
      middleware: [adminOnly] as const,
      request: { params: deadLetterParams },
      responses: { 204: { description: "The dead letter was discarded" }, ...problemResponses() },
    }),
    async (c) => {
      const { name, job_id } = c.req.valid("param");
      await deadLetters.discard(knownQueue(name), job_id);
      return c.body(null, 204);
    },
  );

  return app;
}

function knownQueue(name: string): QueueName {
  const known = z.enum(queueNames).safeParse(name);
  if (known.success) return known.data;
  throw new AppError("not_found", `No such queue. The queues are ${queueNames.join(", ")}.`);
}
