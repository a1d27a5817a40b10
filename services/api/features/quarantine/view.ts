import type { z } from "@hono/zod-openapi";
import type { QuarantineSummary } from "../../../../lib/db/index.ts";
import { isoOrNull } from "../../http/text.ts";
import type { quarantinedSchema } from "./schemas.ts";

export function quarantinedView(row: QuarantineSummary): z.infer<typeof quarantinedSchema> {
  const { id, shard, stream, seq, business_id, reason, bytes, created_at, replay_requested_at } = row;
  return {
    id,
    shard,
    stream,
    seq,
    business_id,
    reason,
    bytes,
    created_at: created_at.toISOString(),
    replay_requested_at: isoOrNull(replay_requested_at),
  };
}
