import type { Redis } from "ioredis";
import type { Database, MediaRetention, Retention } from "../../lib/db/index.ts";
import type { PublishEvents } from "../../lib/events/index.ts";
import type { Producer } from "../../lib/queues/index.ts";
import type { Router } from "../../lib/routing/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { ShardClient, ShardMedia, ShardMoves } from "../../lib/contracts/shard/index.ts";
import type { AddressPolicy } from "../../lib/webhooks/address_policy.ts";
import type { WebhookSecrets } from "../../lib/webhooks/signature.ts";
import type { MediaDeps } from "./media/media_deps.ts";
import type { RecordingDeps } from "./calls/fetch_recordings.ts";
import type { HealthPolicy } from "./webhooks/health.ts";
import type { WorkMetrics } from "./work_metrics.ts";

/** What jobs work with. */
export type Deps = {
  db: Database;
  /** For leases: a connection that fails soon while Redis is away. */
  redis: Redis;
  router: Pick<Router, "locate" | "shard">;
  shards: ShardClient;
  moves: ShardMoves;
  shardMedia: ShardMedia;
  producer: Producer;
  /** Does the after-commit work of emitted events. */
  publishEvents: PublishEvents;
  logger: Logger;
  metrics: WorkMetrics;
  leaseTimes: LeaseTimes;
  webhooks: {
    policy: AddressPolicy;
    secrets: WebhookSecrets;
    /** What an endpoint has for its answer. */
    timeoutMs: number;
    health: HealthPolicy;
  };
  /** Null: no store is configured. */
  media: MediaDeps | null;
  retention: Retention & {
    media: MediaRetention;
    /** Whole months for which messages are kept; null: for ever. */
    messageMonths: number | null;
    /** Days for which the rows of a deleted business are kept. */
    businessDays: number;
  };
  /** Null: no store or no account of the carrier's is configured. */
  recordings: RecordingDeps | null;
};

/** A lease lives for `ttlMs` and is renewed every `renewMs` while its holder works. */
export type LeaseTimes = { ttlMs: number; renewMs: number };

/*
 * A worker killed with -9 leaves its lease behind, and what it guarded waits for the rest of its life; the queue
 * finds the orphaned job after 6.5 s at worst (lib/queues/worker.ts), so a lease of 6 s is never what is waited for.
 * It survives two renewals that fail. A process that stands still for longer loses it and may come back to find
 * another at work: that costs no doubled message, because the shard's ledger knows every id it was ever handed.
 */
export const leaseTimes: LeaseTimes = { ttlMs: 6_000, renewMs: 2_000 };

/** For a version that understands them to be written and brought in. */
export const quarantineDays = 90;

/** For an owner to see in its list of keys what became of one. */
export const endedKeyDays = 90;

/** A year and a month, for an audit of the year before. */
export const auditReadDays = 400;
