import type { z } from "@hono/zod-openapi";
import type { QueueDepth } from "../../../../lib/queues/index.ts";
import type { queueSchema } from "./schemas.ts";

export function queueView({ oldestMs, ...depth }: QueueDepth): z.infer<typeof queueSchema> {
  const { queue, group, waiting, active, delayed, dead } = depth;
  return { queue, group, waiting, active, delayed, dead, oldest_ms: oldestMs };
}
