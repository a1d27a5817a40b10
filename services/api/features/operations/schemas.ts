import { z } from "@hono/zod-openapi";
import type { QueueDepth } from "../../../../lib/queues/index.ts";

export const shardSchema = z
  .object({
    shard: z.int(),
    address: z.string().nullable().openapi({ description: "Null while none is known." }),
    healthy: z.boolean().openapi({ description: "It is known and it answers." }),
    sessions: z.int().nullable(),
    sessions_open: z.int().nullable(),
    messages_per_minute: z.number().nullable(),
    version: z.string().nullable(),
  })
  .openapi("Shard");

export const queueSchema = z
  .object({
    queue: z.string(),
    group: z.string(),
    waiting: z.int(),
    active: z.int(),
    delayed: z.int(),
    dead: z.int(),
    oldest_ms: z.number().nullable().openapi({ description: "Age of the job that has waited longest." }),
  })
  .openapi("Queue");

export function queueView({
  queue,
  group,
  waiting,
  active,
  delayed,
  dead,
  oldestMs,
}: QueueDepth): z.infer<typeof queueSchema> {
  return { queue, group, waiting, active, delayed, dead, oldest_ms: oldestMs };
}
