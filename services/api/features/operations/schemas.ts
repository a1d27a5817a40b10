import { z } from "@hono/zod-openapi";

export const shardSchema = z
  .object({
    shard: z.int(),
    address: z.string().nullable().openapi({ description: "Null if Consul has no address of the shard." }),
    healthy: z.boolean().openapi({ description: "True if the shard has an address and responds." }),
    sessions: z.int().nullable(),
    sessions_open: z.int().nullable(),
    sessions_connecting: z.int().nullable().openapi({ description: "Sessions that are opening or wait for a retry." }),
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
    oldest_ms: z.number().nullable().openapi({ description: "Age of the oldest waiting job, in ms." }),
  })
  .openapi("Queue");
