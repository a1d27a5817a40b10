export { createShardClient } from "./client.ts";
export type { ShardClient, ShardClientOptions, ShardLocation } from "./client.ts";
export { maxBatch, maxJournalPage } from "./schemas.ts";
export type {
  BatchMessage,
  ConnectRequest,
  InboundData,
  JournalData,
  JournalEntry,
  JournalPage,
  JournalStream,
  ReceiptData,
  RejectedEntry,
  SendResult,
  SessionEventData,
  SessionList,
  SessionStatus,
  SessionSummary,
  SessionView,
} from "./schemas.ts";
