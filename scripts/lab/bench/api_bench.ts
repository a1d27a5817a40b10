import { join } from "node:path";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";
import { submitMessage } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";
import { createBusiness } from "../../../lib/testing/business.ts";
import { bunRun, listeningPort, startChild } from "../rig/child.ts";
import { startTogether } from "../rig/cleanup.ts";
import { registerService } from "../rig/consul_service.ts";
import { createKey } from "../rig/customers.ts";
import { load } from "../rig/https_load.ts";
import type { LoadOptions, LoadResult } from "../rig/https_load.ts";
import { startPlatform } from "../rig/platform.ts";
import { text } from "./direct.ts";

const benchPostgres = {
  shared_buffers: "512MB",
  // Building indexes is not part of the measurement.
  maintenance_work_mem: "256MB",
  // Counts the queries of a request, without the SET that precedes one.
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track_utility": "off",
};
/** All load comes from one address; the edge's limits by address are not part of the measurement. */
const unlimitedEdge = { EDGE_REQUESTS_PER_SECOND: "1000000" };

export type BenchBusiness = { id: string; key: string; messageId: string };
export type ApiBench = Awaited<ReturnType<typeof createApiBench>>;

/** The whole path of a request: nginx, an API process, pgbouncer, PostgreSQL and Redis; and bare Hono behind nginx. */
export const createApiBench = (folder: string) =>
  startTogether(async (onStop) => {
    const platform = await startPlatform({ folder, shards: 0, durable: true, postgres: benchPostgres });
    onStop(() => platform.stop());
    const { owner } = platform;
    const businesses = await Promise.all(Array.from({ length: 20 }, () => createBenchBusiness(platform.db)));
    const bare = startChild({ command: bunRun("scripts/lab/bench/bare_hono.ts"), logFile: join(folder, "bare.log") });
    onStop(async () => {
      bare.kill("SIGTERM");
      await bare.exited;
    });
    // nginx routes Twilio's webhooks to this service.
    await registerService(platform.consul.address, "prosaas-calls", await listeningPort(bare));
    const edge = await platform.startEdge({
      env: unlimitedEdge,
      ready: async (url) => (await fetch(`${url}/webhooks/twilio/bare`, { tls: { rejectUnauthorized: false } })).ok,
    });
    await owner`create extension pg_stat_statements`;
    return {
      businesses,
      text,
      /** DATABASE_URL: the server itself, as its superuser. */
      databaseUrl: platform.postgres.ownerUrl,
      owner,
      load: (options: Omit<LoadOptions, "port">): Promise<LoadResult> => load({ port: edge.httpsPort, ...options }),
      /** Queries of the services' role so far. */
      queries: async (): Promise<number> => {
        const [row] = await owner<[{ calls: number }]>`
          select coalesce(sum(calls), 0)::integer as calls
          from pg_stat_statements where userid = 'prosaas_app'::regrole`;
        return row.calls;
      },
    };
  });

/** A paired business with a key and one message. */
async function createBenchBusiness(db: Database): Promise<BenchBusiness> {
  const scope = await createBusiness(db);
  const id = scope.businessId;
  const messageId = uuidv7();
  await submitMessage(scope, {
    id: messageId,
    chat: "1@s.whatsapp.net",
    type: "text",
    text,
    wa_message_id: whatsappMessageId(messageId),
  });
  return { id, key: await createKey(db, id, ["messages:read", "messages:write"]), messageId };
}
