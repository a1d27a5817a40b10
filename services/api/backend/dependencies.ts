import type { Networks } from "../../../lib/core/networks.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import type { Database, Replica, RunningClock } from "../../../lib/db/index.ts";
import type { CallsClient } from "../../../lib/contracts/calls/index.ts";
import type { Feed, LiveStream } from "../../../lib/events/index.ts";
import type { DeadLetters, Producer, QueueDepth } from "../../../lib/queues/index.ts";
import type { RateLimiter } from "../../../lib/redis/rate_limit.ts";
import type { MediaSigner } from "../../../lib/media-store/index.ts";
import type { Quotas } from "../../../lib/quotas/index.ts";
import type { AssignmentRule, Router } from "../../../lib/routing/index.ts";
import type { ShardChats, ShardClient, ShardMoves, ShardPacing } from "../../../lib/contracts/shard/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { AddressPolicy } from "../../../lib/webhooks/address_policy.ts";
import type { WebhookSecrets } from "../../../lib/webhooks/signature.ts";
import type { KeyRingOptions } from "../http/auth/key_ring.ts";
import type { ApiLimits } from "../http/limits.ts";
import type { LiveCalls } from "./live_calls.ts";

/** What the API is made of: `main.ts` gives it the real ones, a test what it wants to see. */
export type ApiDependencies = {
  db: Database;
  /** How this machine's clock compares with the database's, for /ready. */
  clock?: RunningClock;
  /** For reads that may lag. */
  replica: Replica;
  /** Live events, for readers. */
  feed: Pick<Feed, "subscribe">;
  /** Live events, as they are published. */
  liveStream: LiveStream;
  router: Pick<Router, "assign" | "locate" | "numShards" | "shard" | "shards">;
  /** By which a business gets its shard at its first connect. */
  assignmentRule: () => AssignmentRule;
  shards: Pick<ShardClient, "connect" | "list" | "logout" | "view">;
  moves: Pick<ShardMoves, "departures">;
  chats: ShardChats;
  pacing: ShardPacing;
  calls: CallsClient;
  liveCalls: LiveCalls;
  producer: Pick<Producer, "wake">;
  queueDepths: () => Promise<QueueDepth[]>;
  deadLetters: DeadLetters;
  webhooks: { policy: AddressPolicy; secrets: WebhookSecrets };
  /** `store` is null where none is configured: then nothing can be uploaded. */
  media: { store: SealedStore | null; signer: MediaSigner };
  logger: Logger;
  metrics: Metrics;
  metricsToken?: string | undefined;
  /** Where callers reach this API from outside. */
  publicUrl: string;
  keys?: KeyRingOptions;
  /** Networks whose X-Forwarded-For is believed; none by default. */
  edge?: Networks;
  /** Requests that a key, and the keys of a business together, may make. */
  rateLimiter: RateLimiter;
  /** How long the response to a request may take to begin, in ms; its usual limits if absent. */
  deadlineMs?: () => number;
  /** What one replica carries at once; what is left out is as `apiLimits` has it. */
  limits?: Partial<ApiLimits>;
  /** Quotas of each business; an absent one has its default. */
  quotas?: Partial<Quotas>;
};
