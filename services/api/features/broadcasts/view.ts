import type { z } from "@hono/zod-openapi";
import type { Broadcast, BroadcastProgress, RecipientResult } from "../../../../lib/db/index.ts";
import { isoOrNull } from "../../http/text.ts";
import type { broadcastDetail, broadcastSchema, recipientSchema } from "./schemas.ts";

export function broadcastView(broadcast: Broadcast): z.infer<typeof broadcastSchema> {
  const { quiet_from: from, quiet_to: until } = broadcast;
  return {
    id: broadcast.id,
    name: broadcast.name,
    text: broadcast.text,
    status: broadcast.status,
    scheduled_at: isoOrNull(broadcast.scheduled_at),
    time_zone: broadcast.time_zone,
    quiet_hours: from === null || until === null ? null : { from, to: until },
    per_minute: broadcast.per_minute,
    created_at: broadcast.created_at.toISOString(),
    started_at: isoOrNull(broadcast.started_at),
    ended_at: isoOrNull(broadcast.ended_at),
  };
}

export function broadcastDetailView(
  broadcast: Broadcast,
  { recipients, pending, opted_out, duplicate, messages }: BroadcastProgress,
): z.infer<typeof broadcastDetail> {
  const { queued = 0, sent = 0, delivered = 0, read = 0, played = 0, failed = 0 } = messages;
  return {
    ...broadcastView(broadcast),
    progress: { recipients, pending, opted_out, duplicate, queued, sent, delivered, read: read + played, failed },
  };
}

export function recipientView(result: RecipientResult): z.infer<typeof recipientSchema> {
  const status = result.message_status ?? (result.status === "released" ? "pending" : result.status);
  return {
    chat: result.chat,
    status,
    message_id: result.message_id,
    error: status === "failed" ? { code: result.error_code ?? "unknown", message: result.error_message ?? "" } : null,
    sent_at: isoOrNull(result.sent_at),
    delivered_at: isoOrNull(result.delivered_at),
    read_at: isoOrNull(result.read_at),
  };
}
