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
import type { AuthenticatorOptions } from "../http/auth/authenticator.ts";
import type { ApiLimits } from "../http/limits.ts";
import type { LiveCalls } from "./live_calls.ts";

/** Everything that `createApp` needs. `main.ts` passes real clients, tests pass fakes. */
export type ApiDependencies = {
  db: Database;
  /** Offset between this machine's clock and the database's, for /ready. */
  clock?: RunningClock;
  /** For reads of history, which may lag. */
  replica: Replica;
  /** Live events, for readers. */
  feed: Pick<Feed, "subscribe">;
  /** Live events, as they are published. */
  liveStream: LiveStream;
  router: Pick<Router, "assign" | "locate" | "numShards" | "shard" | "shards">;
  /** How a business gets its shard at its first connect. */
  assignmentRule: () => AssignmentRule;
  /** Shards that get no other business. */
  cordon: () => readonly number[];
  shards: Pick<
    ShardClient,
    "assertPasskey" | "configure" | "confirmPasskey" | "connect" | "control" | "list" | "logout" | "view"
  >;
  moves: Pick<ShardMoves, "departures">;
  chats: ShardChats;
  pacing: ShardPacing;
  calls: CallsClient;
  liveCalls: LiveCalls;
  producer: Pick<Producer, "wake">;
  queueDepths: () => Promise<QueueDepth[]>;
  deadLetters: DeadLetters;
  webhooks: { policy: AddressPolicy; secrets: WebhookSecrets };
  /** `store` is null if no storage is configured; uploads are then refused. */
  media: { store: SealedStore | null; signer: MediaSigner };
  logger: Logger;
  metrics: Metrics;
  metricsToken?: string | readonly string[] | undefined;
  /** Public URL of this API. */
  publicUrl: string;
  keys?: AuthenticatorOptions;
  /** Networks whose X-Forwarded-For is trusted; none by default. */
  edge?: Networks;
  /** Rate limits of each key, and of all keys of a business together. */
  rateLimiter: RateLimiter;
  /** Overrides how long the response to a request may take to start, in ms. */
  deadlineMs?: () => number;
  /** Overrides of `apiLimits`. */
  limits?: Partial<ApiLimits>;
  /** Overrides of the default quotas of each business. */
  quotas?: Partial<Quotas>;
};
