import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { assignPhoneNumber, forBusiness } from "../../../../lib/db/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { asRedisUser } from "../../../../lib/testing/redis_users.ts";
import { freePort } from "../../../../lib/testing/free_port.ts";
import { scopes } from "../../../../services/api/http/auth/principal.ts";
import { startTogether } from "../../rig/cleanup.ts";
import { createKey } from "../../rig/customers.ts";
import { makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform } from "../../rig/platform.ts";
import type { RigProcess } from "../../rig/services.ts";
import { redisMaxMemoryMb } from "./budgets.ts";
import type { Target, Tenant } from "./kind.ts";

/** The whole platform with edge, calls and files; attacking tenants, and a bystander. */
export type Stage = {
  platform: Platform;
  target: Target;
  /** The tenant that only uses the platform. */
  bystander: Tenant;
  processes: readonly RigProcess[];
  /** Folders whose bytes count as disk use: those of the edge, and the services' temporary one. */
  folders: { path: string; owner?: string }[];
  /** A connection to Redis for the run itself. */
  redis: Redis;
  stop(): Promise<void>;
};

const authToken = "the-account-token-of-the-hostile-run";
const accountSid = `AC${"0123456789abcdef".repeat(2)}`;
const attackingTenants = 3;

export const setStage = (folder: string, patience: number): Promise<Stage> =>
  startTogether(async (onStop) => {
    const tls = makeCertificate(folder);
    const [httpsPort, mediaPort] = await Promise.all([freePort(), freePort()]);
    const publicUrl = `https://127.0.0.1:${httpsPort}`;
    const account = { TWILIO_AUTH_TOKEN: authToken, TWILIO_ACCOUNT_SID: accountSid };
    const temporary = join(folder, "tmp");
    await mkdir(temporary);
    const platform = await startPlatform({
      folder,
      shards: 2,
      workers: ["high", "default", "low"].map((group) => ({ group })),
      redis: { maxmemory: `${await redisMaxMemoryMb()}mb`, "maxmemory-policy": "noeviction" },
      simulator: {
        ...account,
        PUBLIC_URL: publicUrl,
        SIMULATOR_CA_FILE: tls.certFile,
        SIMULATOR_MEDIA_CERT: tls.certFile,
        SIMULATOR_MEDIA_KEY: tls.keyFile,
        SIMULATOR_MEDIA_PORT: String(mediaPort),
        SIMULATOR_MEDIA_HOST: "localhost",
      },
      env: {
        ...account,
        PUBLIC_URL: publicUrl,
        STORAGE_URL: `file://${join(folder, "store")}`,
        WA_MEDIA_HOST: `localhost:${mediaPort}`,
        NODE_EXTRA_CA_CERTS: tls.certFile,
        CALLS_TOKEN: "the-token-of-the-internal-api",
        // As in production: the rate limit is one of the bounds.
        RATE_LIMIT_PER_MINUTE: "6000",
        TMPDIR: temporary,
      },
    });
    onStop(() => platform.stop());
    const agent = await platform.startService("services/calls/agent/main.ts", "agent", {});
    await platform.startService("services/calls/main.ts", "calls", {
      REDIS_URL: asRedisUser(`redis://${platform.redis.address}`, "calls"),
      TWILIO_API_URL: platform.simulator.url,
      CALL_AGENT_URL: agent.url.replace("http", "ws"),
      // The attacking carrier must not exhaust the call limit, which has tests of its own.
      MAX_CONCURRENT_CALLS: "500",
      STOP_GRACE_MS: "0",
    });

    const edge = await platform.startEdge({
      httpsPort,
      tls,
      ready: async (url) => {
        const options = { tls: { rejectUnauthorized: false }, keepalive: false };
        return (await fetch(`${url}/webhooks/twilio/voice`, options)).status !== 503;
      },
    });

    const customers = await platform.enroll(makeBusinesses(1 + attackingTenants, 4));
    const tenants = await Promise.all(customers.map((customer, n) => empower(platform, customer, `+1555100000${n}`)));
    const redis = createRedis(`redis://${platform.redis.address}`, "queue");
    onStop(() => redis.disconnect());
    return {
      platform,
      bystander: tenants[0]!,
      target: {
        httpPort: edge.httpPort,
        httpsPort,
        publicUrl,
        tenants: tenants.slice(1),
        authToken,
        accountSid,
        simulator: platform.simulator,
        patience,
        backlog: () => backlogOf(platform),
      },
      processes: platform.processes,
      folders: [{ path: join(folder, "edge"), owner: "nginx" }, { path: temporary }],
      redis,
    };
  });

/** Adds a key with every scope and a phone number. */
async function empower({ db }: Platform, customer: Customer, number: string): Promise<Tenant> {
  await assignPhoneNumber(forBusiness(db, customer.id), number);
  return { ...customer, key: await createKey(db, customer.id, scopes), number };
}

/** Counts files to fetch or describe for the first time, and messages to send. */
async function backlogOf({ owner }: Platform): Promise<number> {
  const [row] = await owner<[{ count: number }]>`
    select ((select count(*) from media_fetches where attempts = 0)
          + (select count(*) from media where status = 'stored' and described_at is null and deleted_at is null)
          + (select count(*) from messages where direction = 'outbound' and status = 'queued'))::integer as count`;
  return row.count;
}
