import { z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import type { Move } from "../../../../lib/db/index.ts";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

const shard = z.int().min(1).max(10_000);

export const moveParams = z.object({
  move_id: z
    .string()
    .openapi({ param: { name: "move_id", in: "path" }, example: "019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" }),
});

export const newMove = z
  .strictObject({ shard: shard.openapi({ description: "Where the business is to live.", example: 2 }) })
  .openapi("NewMove");

export const moveSchema = z
  .object({
    id: z.string(),
    business_id: z.string(),
    from_shard: z.int(),
    to_shard: z.int(),
    status: z.enum(["under_way", "done", "rolled_back"]),
    step: z.string().openapi({ description: "The last step that is known to be done.", example: "taken" }),
    error: z.string().nullable().openapi({ description: "Why it is held up, or was rolled back." }),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
    silent_ms: z
      .int()
      .nullable()
      .openapi({ description: "For how long its messages have waited so far; null before that begins." }),
  })
  .openapi("Move");

export const moveQuery = z.object({
  ...pageQuery,
  status: z
    .enum(["under_way", "finished"])
    .optional()
    .openapi({ description: "Only those that are not over, or that are." }),
});

export const rebalanceRequest = z
  .strictObject({
    dry_run: z.boolean().default(false).openapi({ description: "Only say what would be moved." }),
    max: z.int().min(1).max(1000).default(200).openapi({ description: "Most moves to begin." }),
    drain: z
      .array(shard)
      .max(1000)
      .default([])
      .openapi({ description: "Shards that every business is to leave; nothing else is moved then." }),
  })
  .openapi("Rebalance");

export const plannedMoveSchema = z
  .object({ business_id: z.string(), from_shard: z.int(), to_shard: z.int() })
  .openapi("PlannedMove");

export const rebalanceSchema = z
  .object({
    dry_run: z.boolean(),
    planned: z.array(plannedMoveSchema),
    data: z.array(moveSchema).openapi({ description: "The moves that were begun." }),
  })
  .openapi("RebalanceResult");

export const assignmentSchema = z
  .object({
    shard: z.int(),
    businesses: z.int().openapi({ description: "Businesses that live there." }),
    paired: z.int().openapi({ description: "Those of them whose login is linked to a phone." }),
    moving: z.int().openapi({ description: "Moves that lead there or away and are not over." }),
    journal: z.int().nullable().openapi({
      description: "Entries on its volume that the database does not have yet; null where it does not answer.",
    }),
  })
  .openapi("Assignment");

export const assignmentsSchema = z
  .object({ num_shards: z.int(), data: z.array(assignmentSchema) })
  .openapi("Assignments");

export function moveView(move: Move): z.infer<typeof moveSchema> {
  const { id, business_id, from_shard, to_shard, step, error, created_at, fenced_at, finished_at } = move;
  return {
    id,
    business_id,
    from_shard,
    to_shard,
    status: step === "done" || step === "rolled_back" ? step : "under_way",
    step,
    error,
    created_at: created_at.toISOString(),
    finished_at: finished_at?.toISOString() ?? null,
    silent_ms: fenced_at === null ? null : Math.max(0, (finished_at ?? sharedDate()).getTime() - fenced_at.getTime()),
  };
}
