export type { ShardClientOptions, ShardLocation } from "./call.ts";
export { createShardChats, maxNumbers, maxRead } from "./chats.ts";
export type { CheckedNumber, PictureQuery, PresenceRequest, ReadRequest, ShardChats } from "./chats.ts";
export { createShardClient } from "./client.ts";
export type { ShardClient } from "./client.ts";
export { createShardMedia } from "./media.ts";
export type { MediaConnection, ReuploadRequest, ShardMedia } from "./media.ts";
export { createShardMoves } from "./moves.ts";
export type { Departures, MoveOrder, Placement, ShardMoves } from "./moves.ts";
export {
  createShardPacing,
  defaultLimits,
  limitsOf,
  pacingLimits,
  pacingSettings,
  pacingState,
  parsePlatformPacing,
  platformPacingKey,
} from "./pacing.ts";
export type { PacingLimits, PacingSettings, PacingState, PacingView, ShardPacing } from "./pacing.ts";
export { passkeyAssertion, passkeyCode, passkeyOptions, passkeySteps } from "./passkey.ts";
export type { PasskeyAssertion, PasskeyOptions, PasskeyStep, PasskeyView } from "./passkey.ts";
export { shardKeys, shardToken } from "./secrets.ts";
export { journalEntries, maxBatch, maxJournalPage, stoppedReason } from "./schemas.ts";
export type {
  BatchMessage,
  ConnectRequest,
  InboundData,
  JournalData,
  JournalEntry,
  JournalPage,
  JournalStream,
  PasskeyStepData,
  ReceiptData,
  RejectedEntry,
  SendResult,
  SessionAction,
  SessionEventData,
  SessionList,
  SessionSettings,
  SessionStatus,
  SessionStatusData,
  SessionSummary,
  SessionView,
} from "./schemas.ts";
