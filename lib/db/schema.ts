export { apiKeys } from "./keys/schema.ts";
export type { ApiKey } from "./keys/schema.ts";
export { auditEvents } from "./audit/schema.ts";
export type { AuditEvent } from "./audit/schema.ts";
export { auditReads } from "./audit/schema_reads.ts";
export type { AuditRead } from "./audit/schema_reads.ts";
export { broadcastRecipients, broadcasts, optOuts, recipientStatuses } from "./broadcasts/schema.ts";
export type { Broadcast, BroadcastRecipient, OptOut, RecipientStatus } from "./broadcasts/schema.ts";
export { chatAliases } from "./chats/schema.ts";
export type { ChatAlias } from "./chats/schema.ts";
export { businesses } from "./businesses/schema.ts";
export type { Business } from "./businesses/schema.ts";
export {
  callDirections,
  callOutcomes,
  callRecordings,
  calls,
  callSettings,
  phoneNumbers,
  recordingStatuses,
} from "./calls/schema.ts";
export type {
  Call,
  CallDirection,
  CallOutcome,
  CallRecording,
  CallSettings,
  PhoneNumber,
  RecordingStatus,
} from "./calls/schema.ts";
export { consoleSessions } from "./console_sessions/schema.ts";
export type { ConsoleSession } from "./console_sessions/schema.ts";
export { shardCopies, shardTail } from "./copies/schema.ts";
export { idempotencyKeys } from "./idempotency/schema.ts";
export type { IdempotencyKey } from "./idempotency/schema.ts";
export { journalQuarantine } from "./inbound/schema.ts";
export type { QuarantinedEntry } from "./inbound/schema.ts";
export { media, mediaFetches, mediaUploads } from "./media/schema.ts";
export type { Media, MediaFetch, MediaRow, MediaUpload } from "./media/schema.ts";
export { groupReceipts } from "./messages/group_receipts.ts";
export { messageDirections, messages, messageStatuses, waitReasons } from "./messages/schema.ts";
export type { Message, MessageDirection, MessageStatus, WaitReason } from "./messages/schema.ts";
export { moves, moveSteps } from "./moves/schema.ts";
export type { Move, MoveStep } from "./moves/schema.ts";
export { deliveryStatuses, webhookDeliveries, webhooks, webhookStatuses } from "./webhooks/schema.ts";
export type { DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus } from "./webhooks/schema.ts";
export { progressMarks } from "./messages/progress_marks.ts";
export { whatsappSessions } from "./sessions/schema.ts";
export type { WhatsappSession } from "./sessions/schema.ts";
