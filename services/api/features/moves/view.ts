import type { z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import type { Move } from "../../../../lib/db/index.ts";
import { isoOrNull } from "../../http/text.ts";
import type { moveSchema } from "./schemas.ts";

export function moveView(move: Move): z.infer<typeof moveSchema> {
  const { id, business_id, from_shard, to_shard, step, error, created_at, fenced_at, finished_at } = move;
  return {
    id,
    business_id,
    from_shard,
    to_shard,
    status: step === "done" || step === "rolled_back" ? step : "in_progress",
    step,
    error,
    created_at: created_at.toISOString(),
    finished_at: isoOrNull(finished_at),
    silent_ms: fenced_at === null ? null : Math.max(0, (finished_at ?? sharedDate()).getTime() - fenced_at.getTime()),
  };
}
