import type { Redis } from "ioredis";
import type { Database, MediaRetention, Retention } from "../../lib/db/index.ts";
import type { PublishEvents } from "../../lib/events/index.ts";
import type { Producer } from "../../lib/queues/index.ts";
import type { Router } from "../../lib/routing/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { ShardChats, ShardClient, ShardMedia, ShardMoves } from "../../lib/contracts/shard/index.ts";
import type { AddressPolicy } from "../../lib/webhooks/address_policy.ts";
import type { WebhookSecrets } from "../../lib/webhooks/signature.ts";
import type { MediaDeps } from "./media/media_deps.ts";
import type { RecordingDeps } from "./calls/fetch_recordings.ts";
import type { HealthPolicy } from "./webhooks/health.ts";
import type { WorkMetrics } from "./work_metrics.ts";

/** Dependencies of the job handlers. */
export type Deps = {
  db: Database;
  /** For leases: fails fast while Redis is unavailable. */
  redis: Redis;
  router: Pick<Router, "locate" | "shard">;
  shards: ShardClient;
  moves: ShardMoves;
  shardMedia: ShardMedia;
  shardChats: Pick<ShardChats, "checkNumbers">;
  producer: Producer;
  /** Does the after-commit work of emitted events. */
  publishEvents: PublishEvents;
  logger: Logger;
  metrics: WorkMetrics;
  leaseTimes: LeaseTimes;
  webhooks: {
    policy: AddressPolicy;
    secrets: WebhookSecrets;
    /** Timeout of a webhook request. */
    timeoutMs: number;
    health: HealthPolicy;
  };
  /** Null if no store is configured. */
  media: MediaDeps | null;
  retention: Retention & {
    media: MediaRetention;
    /** Whole months messages are kept; null: no limit. */
    messageMonths: number | null;
    /** Days the rows of a deleted business are kept. */
    businessDays: number;
  };
  /** Null if no store or no carrier account is configured. */
  recordings: RecordingDeps | null;
};

/** A lease expires after `ttlMs`; its holder renews it every `renewMs`. */
export type LeaseTimes = { ttlMs: number; renewMs: number };

/*
 * A worker killed with SIGKILL leaves its lease until it expires. The queue recovers the orphaned job after 6.5 s at
 * worst (lib/queues/worker.ts), so a lease of 6 s never delays it. The lease survives two failed renewals. A process
 * that is paused for longer loses its lease and may resume beside the next holder. No message is sent twice then,
 * because the shard's ledger deduplicates by id.
 */
export const leaseTimes: LeaseTimes = { ttlMs: 6_000, renewMs: 2_000 };

/** Time to release a version that can read the quarantined entries and to replay them. */
export const quarantineDays = 90;

/** Ended keys stay in their owner's list for this long. */
export const endedKeyDays = 90;

/** A year and a month: an audit covers the previous year. */
export const auditReadDays = 400;

/** Receipts of group members are kept this long: WhatsApp repeats them for as long as a shard may be down. */
export const groupReceiptDays = 30;
