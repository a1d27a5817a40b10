export { apiKeys } from "./api_keys.ts";
export type { ApiKey } from "./api_keys.ts";
export { auditEvents } from "./audit_events.ts";
export type { AuditEvent } from "./audit_events.ts";
export { auditReads } from "./audit_reads.ts";
export type { AuditRead } from "./audit_reads.ts";
export { broadcastRecipients, broadcasts, optOuts, recipientStatuses } from "./broadcasts.ts";
export type { Broadcast, BroadcastRecipient, OptOut, RecipientStatus } from "./broadcasts.ts";
export { businesses } from "./businesses.ts";
export type { Business } from "./businesses.ts";
export {
  callDirections,
  callOutcomes,
  callRecordings,
  calls,
  callSettings,
  phoneNumbers,
  recordingStatuses,
} from "./calls.ts";
export type {
  Call,
  CallDirection,
  CallOutcome,
  CallRecording,
  CallSettings,
  PhoneNumber,
  RecordingStatus,
} from "./calls.ts";
export { consoleSessions } from "./console_sessions.ts";
export type { ConsoleSession } from "./console_sessions.ts";
export { idempotencyKeys } from "./idempotency_keys.ts";
export type { IdempotencyKey } from "./idempotency_keys.ts";
export { journalQuarantine } from "./journal_quarantine.ts";
export type { QuarantinedEntry } from "./journal_quarantine.ts";
export { media, mediaFetches, mediaUploads } from "./media.ts";
export type { Media, MediaFetch, MediaRow, MediaUpload } from "./media.ts";
export { messageDirections, messages, messageStatuses } from "./messages.ts";
export type { Message, MessageDirection, MessageStatus } from "./messages.ts";
export { moves, moveSteps } from "./moves.ts";
export type { Move, MoveStep } from "./moves.ts";
export { deliveryStatuses, webhookDeliveries, webhooks, webhookStatuses } from "./webhooks.ts";
export type { DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus } from "./webhooks.ts";
export { progressMarks } from "./progress_marks.ts";
export { whatsappSessions } from "./whatsapp_sessions.ts";
export type { WhatsappSession } from "./whatsapp_sessions.ts";
