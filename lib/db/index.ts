export { createDatabase, requestWaits, workerWaits } from "./client/client.ts";
export type { Database, DatabaseOptions, Waits } from "./client/client.ts";
export { firstAnswer } from "./client/first_answer.ts";
export { runDatabaseClock } from "./client/run_clock.ts";
export type { RunningClock } from "./client/run_clock.ts";
export { exposeServer } from "./client/server_metrics.ts";
export { isDatabaseUnavailable, isLockTimeout } from "./client/errors.ts";
export { createGroupCommit } from "./client/group_commit.ts";
export { sql } from "./client/literal.ts";
export type { Statement } from "./client/literal.ts";
export { createReplica, noReplica } from "./client/replica.ts";
export type { Replica, ReplicaOptions } from "./client/replica.ts";
export { atomically, forBusiness, forNobody, forPlatform } from "./scope.ts";
export type { BusinessScope, PlatformScope, Scope } from "./scope.ts";
export { messageDirections, messageStatuses } from "./schema.ts";
export type {
  ApiKey,
  AuditEvent,
  AuditRead,
  Business,
  Message,
  MessageDirection,
  MessageStatus,
  WaitReason,
  WhatsappSession,
} from "./schema.ts";
export { callDirections, callOutcomes, recordingStatuses } from "./schema.ts";
export type {
  Call,
  CallDirection,
  CallOutcome,
  CallRecording,
  CallSettings,
  PhoneNumber,
  RecordingStatus,
} from "./schema.ts";
export type { Broadcast, BroadcastRecipient, OptOut, RecipientStatus } from "./schema.ts";
export type { Media, MediaFetch, MediaUpload } from "./schema.ts";
export { moveSteps } from "./schema.ts";
export type { Move, MoveStep } from "./schema.ts";
export { deliveryStatuses, webhookStatuses } from "./schema.ts";
export type { DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus } from "./schema.ts";

export { applyGroupReceipts } from "./messages/apply_group_receipts.ts";
export type { GroupReceipt } from "./messages/apply_group_receipts.ts";
export { applyReceipts } from "./messages/apply_receipts.ts";
export type { Receipt, ReceiptsApplied } from "./messages/apply_receipts.ts";
export { assignLeastLoaded, assignShard } from "./businesses/assign_shard.ts";
export * from "./broadcasts/index.ts";
export * from "./chats/index.ts";
export * from "./calls/index.ts";
export * from "./copies/index.ts";
export { addAuditReads, listAuditReads } from "./audit/audit_reads.ts";
export type { ReadCount } from "./audit/audit_reads.ts";
export { completeAuditEvent, insertAuditEvent, listAuditEvents } from "./audit/audit_events.ts";
export type { AuditFilter } from "./audit/audit_events.ts";
export { deleteConsoleSession, insertConsoleSession } from "./console_sessions/console_sessions.ts";
export { deleteBusiness } from "./businesses/delete_business.ts";
export { findReferences } from "./inbound/find_references.ts";
export type { NamedMessage, ReferencedMessage } from "./inbound/find_references.ts";
export { findKey, findSessionKey } from "./keys/find_key.ts";
export type { FoundKey } from "./keys/find_key.ts";
export { getBusiness } from "./businesses/get_business.ts";
export { getMessage } from "./messages/get_message.ts";
export { getSender } from "./outbox/get_sender.ts";
export type { Sender } from "./outbox/get_sender.ts";
export { getSession } from "./sessions/get_session.ts";
export { insertBusiness } from "./businesses/insert_business.ts";
export { insertInbound } from "./inbound/insert_inbound.ts";
export type { InboundMessage, InsertedMessage } from "./inbound/insert_inbound.ts";
export { insertKey, maxKeys } from "./keys/insert_key.ts";
export type { KeyOwner } from "./keys/key_owner.ts";
export { listStatusReceivers } from "./businesses/list_status_receivers.ts";
export { listBusinesses } from "./businesses/list_businesses.ts";
export { listKeys } from "./keys/list_keys.ts";
export type { KeyFilter, ListedKey } from "./keys/list_keys.ts";
export { listMessages } from "./messages/list_messages.ts";
export type { MessageFilter } from "./messages/list_messages.ts";
export { listPacedBusinesses } from "./outbox/list_paced_businesses.ts";
export { listPendingBusinesses } from "./outbox/list_pending_businesses.ts";
export type { PendingBusinessesOptions } from "./outbox/list_pending_businesses.ts";
export * from "./media/index.ts";
export * from "./moves/index.ts";
export { once } from "./idempotency/once.ts";
export type { Answer, Once } from "./idempotency/once.ts";
export { lockMessages } from "./messages/lock_messages.ts";
export { noteRead, unreadUpTo } from "./messages/mark_read.ts";
export type { UnreadMessage } from "./messages/mark_read.ts";
export {
  markReceiptsOverdue,
  advanceReceiptsCheck,
  receiptsCheckedUntil,
  shardsWithoutReceipts,
} from "./messages/overdue_receipts.ts";
export { lockInbound, assignInboundIds } from "./inbound/assign_ids.ts";
export { changeStates } from "./inbound/change_states.ts";
export type { StateChange } from "./inbound/change_states.ts";
export { completeInbound } from "./inbound/complete_inbound.ts";
export type { IdentifiedMessage } from "./inbound/assign_ids.ts";
export { outboxUsage } from "./outbox/outbox_usage.ts";
export { pendingMessages } from "./outbox/pending_messages.ts";
export type { Pending, PendingMessage, PendingOptions } from "./outbox/pending_messages.ts";
export { recordSendResults } from "./outbox/record_send_results.ts";
export type { SendOutcome } from "./outbox/record_send_results.ts";
export { forgetOld } from "./upkeep/forget.ts";
export type { Forgotten, Retention } from "./upkeep/forget.ts";
export { dropOldPartitions, ensurePartitions } from "./messages/keep_partitions.ts";
export {
  forgetRecordings,
  listDeletedBusinesses,
  listStoredRecordings,
  purgeBusiness,
} from "./businesses/purge_business.ts";
export {
  discardQuarantined,
  entriesToReplay,
  failReplay,
  getQuarantined,
  listQuarantine,
  quarantineEntries,
  requestReplay,
} from "./inbound/quarantine.ts";
export type { NewQuarantinedEntry, QuarantineSummary } from "./inbound/quarantine.ts";
export type { QuarantinedEntry } from "./inbound/schema.ts";
export { releaseOnInbound } from "./outbox/release_on_inbound.ts";
export type { InboundChat, ReleasedOutbox } from "./outbox/release_on_inbound.ts";
export { removeExpired } from "./upkeep/remove_expired.ts";
export { reachedStatuses } from "./messages/status_change.ts";
export type { ReachedStatus, StatusChange } from "./messages/status_change.ts";
export { revokeKey } from "./keys/revoke_key.ts";
export { rotateKey } from "./keys/rotate_key.ts";
export { closedSessions } from "./sessions/closed_sessions.ts";
export type { ClosedSessions } from "./sessions/closed_sessions.ts";
export { sessionStates } from "./sessions/session_states.ts";
export type { SessionState } from "./sessions/session_states.ts";
export { releasePaced, setPacing } from "./outbox/set_pacing.ts";
export { getQuotas, setQuotas } from "./businesses/quotas.ts";
export type { BusinessQuotas } from "./businesses/schema.ts";
export { submitMessage, submitMessages } from "./outbox/submit_message.ts";
export type { Idempotency, NewMessage, Submission, Submit, SubmitOptions } from "./outbox/submit_message.ts";
export { touchKeys } from "./keys/touch_keys.ts";
export { updateBusiness } from "./businesses/update_business.ts";
export type { BusinessChanges } from "./businesses/update_business.ts";
export { upsertSessions } from "./sessions/upsert_sessions.ts";
export type { SessionReport } from "./sessions/upsert_sessions.ts";
export * from "./webhooks/index.ts";
