import { createDatabase, noReplica } from "../../../lib/db/index.ts";
import { createRouterOver } from "../../../lib/routing/index.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { createApp } from "../app.ts";
import type { Api } from "../app.ts";
import { createFakeCalls } from "./fake_calls.ts";
import { createFakeChats } from "./fake_chats.ts";
import { createFakeDeadLetters } from "./fake_dead_letters.ts";
import { createFakeLiveCalls } from "./fake_live_calls.ts";
import { createFakePacing } from "./fake_pacing.ts";
import { createFakeShards } from "./fake_shards.ts";
import { createTestMedia } from "./media.ts";
import { createTestWebhooks } from "./webhooks.ts";

/** The API without any server behind it, for tests of its document and its errors. */
export function createOfflineApp(publicUrl: string): Api & { close(): Promise<void> } {
  const db = createDatabase({ url: "postgres://nobody@127.0.0.1:1/none", poolSize: 1, applicationName: "test" });
  const api = createApp({
    db,
    replica: noReplica(db),
    feed: { subscribe: () => Promise.reject(new Error("never asked")) },
    liveStream: { append: async () => true },
    router: createRouterOver({ addresses: new Map(), ageMs: () => 0, ready: Promise.resolve() }, () => 1),
    assignmentRule: () => "hash",
    cordon: () => [],
    shards: createFakeShards(),
    moves: { departures: async () => ({ data: [], journal: 0 }) },
    chats: createFakeChats(),
    pacing: createFakePacing(),
    calls: createFakeCalls(),
    liveCalls: createFakeLiveCalls(),
    producer: { wake: async () => {} },
    queueDepths: async () => [],
    deadLetters: createFakeDeadLetters(),
    webhooks: createTestWebhooks(),
    media: createTestMedia(publicUrl),
    logger: createLogger("test", "error", { write: () => {} }),
    metrics: createMetrics("test"),
    publicUrl,
    rateLimiter: {
      limit: 1,
      windowMs: 1_000,
      take: async () => ({ granted: true, remaining: 0, resetMs: 0, limitedBy: "caller" as const }),
    },
  });
  return { ...api, close: () => db.close() };
}
