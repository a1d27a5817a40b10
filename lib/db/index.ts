export { createDatabase, requestWaits, workerWaits } from "./client.ts";
export type { Database, DatabaseOptions, Waits } from "./client.ts";
export { runDatabaseClock } from "./run_clock.ts";
export type { RunningClock } from "./run_clock.ts";
export { isDatabaseUnavailable } from "./errors.ts";
export { createGroupCommit } from "./group_commit.ts";
export { sql } from "./literal.ts";
export type { Statement } from "./literal.ts";
export { createReplica, noReplica } from "./replica.ts";
export type { Replica, ReplicaOptions } from "./replica.ts";
export { atomically, forBusiness, forNobody, forPlatform } from "./scope.ts";
export type { BusinessScope, PlatformScope, Scope } from "./scope.ts";
export { messageDirections, messageStatuses } from "./schema/index.ts";
export type {
  ApiKey,
  AuditEvent,
  AuditRead,
  Business,
  Message,
  MessageDirection,
  MessageStatus,
  WhatsappSession,
} from "./schema/index.ts";
export { callDirections, callOutcomes, recordingStatuses } from "./schema/index.ts";
export type {
  Call,
  CallDirection,
  CallOutcome,
  CallRecording,
  CallSettings,
  PhoneNumber,
  RecordingStatus,
} from "./schema/index.ts";
export type { Broadcast, BroadcastRecipient, OptOut, RecipientStatus } from "./schema/index.ts";
export type { Media, MediaFetch, MediaUpload } from "./schema/index.ts";
export { moveSteps } from "./schema/index.ts";
export type { Move, MoveStep } from "./schema/index.ts";
export { deliveryStatuses, webhookStatuses } from "./schema/index.ts";
export type { DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus } from "./schema/index.ts";

export { applyReceipts } from "./queries/apply_receipts.ts";
export type { Receipt, ReceiptsApplied } from "./queries/apply_receipts.ts";
export { assignLeastLoaded, assignShard } from "./queries/assign_shard.ts";
export * from "./queries/broadcasts/index.ts";
export * from "./queries/calls/index.ts";
export { addAuditReads, listAuditReads } from "./queries/audit_reads.ts";
export type { ReadCount } from "./queries/audit_reads.ts";
export { completeAuditEvent, insertAuditEvent, listAuditEvents } from "./queries/audit.ts";
export type { AuditFilter } from "./queries/audit.ts";
export { deleteConsoleSession, insertConsoleSession } from "./queries/console_sessions.ts";
export { deleteBusiness } from "./queries/delete_business.ts";
export { findReferences } from "./queries/find_references.ts";
export type { NamedMessage } from "./queries/find_references.ts";
export { findKey, findSessionKey } from "./queries/find_key.ts";
export type { FoundKey } from "./queries/find_key.ts";
export { getBusiness } from "./queries/get_business.ts";
export { getMessage } from "./queries/get_message.ts";
export { getSender } from "./queries/get_sender.ts";
export type { Sender } from "./queries/get_sender.ts";
export { getSession } from "./queries/get_session.ts";
export { insertBusiness } from "./queries/insert_business.ts";
export { insertInbound } from "./queries/insert_inbound.ts";
export type { InboundMessage, InsertedMessage } from "./queries/insert_inbound.ts";
export { insertKey, maxKeys } from "./queries/insert_key.ts";
export type { KeyOwner } from "./queries/key_owner.ts";
export { listBusinesses } from "./queries/list_businesses.ts";
export { listKeys } from "./queries/list_keys.ts";
export type { KeyFilter, ListedKey } from "./queries/list_keys.ts";
export { listMessages } from "./queries/list_messages.ts";
export type { MessageFilter } from "./queries/list_messages.ts";
export { listPendingBusinesses } from "./queries/list_pending_businesses.ts";
export type { PendingBusinessesOptions } from "./queries/list_pending_businesses.ts";
export * from "./queries/media/index.ts";
export * from "./queries/moves/index.ts";
export { once } from "./queries/once.ts";
export type { Answer, Once } from "./queries/once.ts";
export { noteRead, unreadUpTo } from "./queries/mark_read.ts";
export type { UnreadMessage } from "./queries/mark_read.ts";
export { markOverdue, moveOverdueMark, overdueMark, shardsWithoutTicks } from "./queries/overdue_ticks.ts";
export { lockInbound, placeInbound } from "./queries/place_inbound.ts";
export type { PlacedMessage } from "./queries/place_inbound.ts";
export { outboxUsage } from "./queries/outbox_usage.ts";
export { pendingMessages } from "./queries/pending_messages.ts";
export type { Pending, PendingMessage, PendingOptions } from "./queries/pending_messages.ts";
export { recordSendResults } from "./queries/record_send_results.ts";
export type { SendOutcome } from "./queries/record_send_results.ts";
export { forgetOld } from "./queries/forget.ts";
export type { Forgotten, Retention } from "./queries/forget.ts";
export { dropOldPartitions, ensurePartitions } from "./queries/keep_partitions.ts";
export {
  forgetRecordings,
  listDeletedBusinesses,
  listStoredRecordings,
  purgeBusiness,
} from "./queries/purge_business.ts";
export { quarantineEntries } from "./queries/quarantine.ts";
export type { NewQuarantinedEntry } from "./queries/quarantine.ts";
export { releaseBegun } from "./queries/release_begun.ts";
export type { BegunChat, ReleasedOutbox } from "./queries/release_begun.ts";
export { removeExpired } from "./queries/remove_expired.ts";
export { passages } from "./queries/status_change.ts";
export type { Passage, StatusChange } from "./queries/status_change.ts";
export { revokeKey } from "./queries/revoke_key.ts";
export { rotateKey } from "./queries/rotate_key.ts";
export { sessionStates } from "./queries/session_states.ts";
export type { SessionState } from "./queries/session_states.ts";
export { releasePaced, setPacing } from "./queries/set_pacing.ts";
export { submitMessage, submitMessages } from "./queries/submit_message.ts";
export type { Idempotency, NewMessage, Submission, Submit, SubmitOptions } from "./queries/submit_message.ts";
export { touchKeys } from "./queries/touch_keys.ts";
export { updateBusiness } from "./queries/update_business.ts";
export type { BusinessChanges } from "./queries/update_business.ts";
export { upsertSessions } from "./queries/upsert_sessions.ts";
export type { SessionReport } from "./queries/upsert_sessions.ts";
export * from "./queries/webhooks/index.ts";
