/*
 * Every index that is not a primary key or a unique constraint, in this one file. The indexer builds them
 * CONCURRENTLY; the migrations make none, so that no migration ever holds a big table. An index is known by its
 * name: to change one, give it a new name.
 */
export type IndexDefinition = {
  name: string;
  table:
    | "api_keys"
    | "audit_events"
    | "broadcast_recipients"
    | "broadcasts"
    | "call_recordings"
    | "calls"
    | "chat_aliases"
    | "idempotency_keys"
    | "media"
    | "media_fetches"
    | "media_uploads"
    | "messages"
    | "opt_outs"
    | "phone_numbers"
    | "webhook_deliveries"
    | "webhooks";
  /** The list between the parentheses. */
  columns: string;
  include?: string;
  where?: string;
  /** The statements that need it. */
  purpose: string;
};

export const indexes: readonly IndexDefinition[] = [
  {
    name: "messages_outbox",
    table: "messages",
    columns: "business_id, queued_at, id",
    where: "status = 'queued'",
    purpose: "pending_messages and list_pending_businesses; holds the outbox alone, so it stays small",
  },
  {
    name: "messages_outbox_by_chat",
    table: "messages",
    columns: "business_id, chat, queued_at, id",
    where: "status = 'queued'",
    purpose:
      "pending_messages finds what stands in front of a message in its chat, however much was said or waits there",
  },
  {
    name: "messages_expiring",
    table: "messages",
    columns: "business_id, expires_at",
    where: "status = 'queued' and expires_at is not null",
    purpose: "pending_messages finds what has expired without reading the outbox",
  },
  {
    name: "messages_waiting_for_pace",
    table: "messages",
    columns: "business_id, chat",
    where: "status = 'queued' and wait_reason = 'pacing'",
    purpose: "release_on_inbound runs for every inbound message; release_paced",
  },
  {
    // Replaces messages_by_wa_message_id, which lacks the id.
    name: "messages_by_wa_message_id_and_id",
    table: "messages",
    columns: "business_id, wa_message_id, id",
    purpose:
      "apply_receipts finds the row of a receipt; insert_inbound finds what the business sent through us; assign_ids " +
      "finds a message of 28 days, however many share an id that their sender chose",
  },
  {
    name: "messages_by_business",
    table: "messages",
    columns: "business_id, id",
    purpose: "list_messages, newest first, over all chats",
  },
  {
    name: "messages_by_chat",
    table: "messages",
    columns: "business_id, chat, id",
    purpose: "list_messages of one chat",
  },
  {
    name: "chat_aliases_by_chat",
    table: "chat_aliases",
    columns: "business_id, chat",
    purpose: "assign_ids and release_recipients find the other names of a chat; learn_chat_aliases",
  },
  {
    name: "chat_aliases_unsettled",
    table: "chat_aliases",
    columns: "business_id, alias",
    where: "not settled",
    purpose: "list_unmerged; holds what was learned lately alone, so it stays small",
  },
  {
    name: "opt_outs_unchecked",
    table: "opt_outs",
    columns: "business_id, chat",
    where: "checked_at is null",
    purpose: "unchecked_opt_outs runs before each batch of broadcasts",
  },
  {
    name: "api_keys_by_business",
    table: "api_keys",
    columns: "business_id, id",
    purpose: "list_keys, delete_business",
  },
  {
    name: "audit_events_by_business",
    table: "audit_events",
    columns: "business_id, id",
    where: "business_id is not null",
    purpose: "list_audit_events of one business; the others are read by the primary key",
  },
  {
    name: "idempotency_keys_by_expiry",
    table: "idempotency_keys",
    columns: "expires_at",
    purpose: "remove_expired",
  },
  {
    name: "calls_by_business",
    table: "calls",
    columns: "business_id, started_at, call_sid",
    purpose: "list_calls, the latest first",
  },
  {
    name: "call_recordings_by_call",
    table: "call_recordings",
    columns: "business_id, call_sid",
    purpose: "get_call finds the recordings of a call",
  },
  {
    name: "call_recordings_pending",
    table: "call_recordings",
    columns: "next_attempt_at",
    where: "status = 'pending'",
    purpose: "pending_recordings; holds what is still to be fetched alone, so it stays small",
  },
  {
    name: "phone_numbers_by_business",
    table: "phone_numbers",
    columns: "business_id, number",
    purpose: "list_phone_numbers, delete_business",
  },
  {
    name: "webhooks_by_business",
    table: "webhooks",
    columns: "business_id, id",
    purpose: "announce, list_webhooks",
  },
  {
    name: "webhook_deliveries_outbox",
    table: "webhook_deliveries",
    columns: "webhook_id, place, id",
    where: "status = 'pending'",
    purpose: "due_deliveries and list_due_webhooks; holds what is still to be delivered alone, so it stays small",
  },
  {
    name: "webhook_deliveries_expiring",
    table: "webhook_deliveries",
    columns: "expires_at",
    where: "status = 'pending'",
    purpose: "expire_deliveries",
  },
  {
    name: "webhook_deliveries_by_webhook",
    table: "webhook_deliveries",
    columns: "webhook_id, id",
    purpose: "list_deliveries newest first, replay_deliveries by range, and the foreign key",
  },
  {
    name: "messages_outbox_of_broadcasts",
    table: "messages",
    columns: "business_id, queued_at, id",
    where: "status = 'queued' and broadcast_id is not null",
    purpose: "pending_messages finds what may wait beside what may not",
  },
  {
    name: "messages_by_broadcast",
    table: "messages",
    columns: "broadcast_id, status",
    where: "broadcast_id is not null",
    purpose: "broadcast_progress, find_broadcast counts what is in the outbox, hold_broadcast",
  },
  {
    name: "broadcasts_by_business",
    table: "broadcasts",
    columns: "business_id, id",
    purpose: "list_broadcasts",
  },
  {
    name: "broadcasts_unfinished",
    table: "broadcasts",
    columns: "business_id, id",
    where: "status in ('draft', 'scheduled', 'running', 'paused')",
    purpose: "outbox_usage counts their pending recipients",
  },
  {
    name: "media_stored_sizes",
    table: "media",
    columns: "business_id, size",
    where: "status = 'stored' and deleted_at is null",
    purpose: "media_usage sums an index-only scan",
  },
  {
    name: "media_undescribed",
    table: "media",
    columns: "business_id, describe_attempts, created_at",
    where: "status = 'stored' and described_at is null and deleted_at is null",
    purpose: "next_undescribed and due_media; holds waiting media alone, so it stays small",
  },
  {
    name: "media_fetches_of_business",
    table: "media_fetches",
    columns: "business_id, next_attempt_at",
    purpose: "claim_fetch takes one of many that wait",
  },
  {
    name: "media_uploads_pending",
    table: "media_uploads",
    columns: "business_id, next_attempt_at",
    where: "status = 'pending'",
    purpose: "claim_upload and due_media; holds waiting uploads alone",
  },
  {
    name: "broadcasts_under_way",
    table: "broadcasts",
    columns: "id",
    where: "status in ('scheduled', 'running', 'cancelled')",
    purpose: "list_due_broadcasts",
  },
  {
    name: "broadcast_recipients_pending",
    table: "broadcast_recipients",
    columns: "broadcast_id, place",
    where: "status = 'pending'",
    purpose: "release_recipients takes the next ones",
  },
  {
    name: "broadcast_recipients_by_place",
    table: "broadcast_recipients",
    columns: "broadcast_id, place",
    include: "status",
    purpose: "list_recipients, broadcast_progress",
  },
];
