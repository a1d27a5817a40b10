import { z } from "@hono/zod-openapi";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

const shard = z.int().min(1).max(10_000);

export const newMove = z
  .strictObject({ shard: shard.openapi({ description: "The shard to move the business to.", example: 2 }) })
  .openapi("NewMove");

export const moveSchema = z
  .object({
    id: z.string(),
    business_id: z.string(),
    from_shard: z.int(),
    to_shard: z.int(),
    status: z.enum(["in_progress", "done", "rolled_back"]),
    step: z.string().openapi({ description: "The last completed step.", example: "taken" }),
    error: z.string().nullable().openapi({ description: "Why the move is blocked or was rolled back." }),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
    silent_ms: z.int().nullable().openapi({
      description: "How long the move has held back the business's messages. Null before it starts to.",
    }),
  })
  .openapi("Move");

export const moveQuery = z.object({
  ...pageQuery,
  status: z.enum(["in_progress", "finished", "under_way"]).optional().openapi({
    description: "Returns only moves in progress or only finished ones. `under_way` is a former name of `in_progress`.",
  }),
});

export const rebalanceRequest = z
  .strictObject({
    dry_run: z.boolean().default(false).openapi({ description: "Plan the moves without starting them." }),
    max: z.int().min(1).max(1000).default(200).openapi({ description: "Maximum number of moves to start." }),
    drain: z
      .array(shard)
      .max(1000)
      .default([])
      .openapi({ description: "Shards to empty. If set, businesses on other shards are not moved." }),
    max_sessions: z.int().min(1).max(100_000).default(1000).openapi({
      description: "A shard with this number of linked phones gets no other.",
    }),
  })
  .openapi("Rebalance");

const plannedMoveSchema = z
  .object({ business_id: z.string(), from_shard: z.int(), to_shard: z.int() })
  .openapi("PlannedMove");

export const rebalanceSchema = z
  .object({
    dry_run: z.boolean(),
    planned: z.array(plannedMoveSchema),
    data: z.array(moveSchema).openapi({ description: "The moves that were started." }),
  })
  .openapi("RebalanceResult");

const assignmentSchema = z
  .object({
    shard: z.int(),
    businesses: z.int().openapi({ description: "Businesses assigned to the shard." }),
    paired: z.int().openapi({ description: "Assigned businesses with a linked phone." }),
    moving: z.int().openapi({ description: "Moves in progress to or from the shard." }),
    journal: z.int().nullable().openapi({
      description: "Journal entries that the database has not confirmed. Null if the shard is unreachable.",
    }),
  })
  .openapi("Assignment");

export const assignmentsSchema = z
  .object({ num_shards: z.int(), data: z.array(assignmentSchema) })
  .openapi("Assignments");
