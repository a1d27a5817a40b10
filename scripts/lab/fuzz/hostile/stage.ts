import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { assignPhoneNumber, forBusiness, insertKey } from "../../../../lib/db/index.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { asRedisUser } from "../../../../lib/testing/redis_users.ts";
import { freePort } from "../../../../lib/testing/free_port.ts";
import { scopes } from "../../../../services/api/http/auth/principal.ts";
import { startEdge } from "../../rig/edge.ts";
import { makeBusinesses } from "../../rig/pairing.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Customer, Platform, RigProcess } from "../../rig/platform.ts";
import { redisMaxMemoryMb } from "./budgets.ts";
import type { Target, Tenant } from "./kind.ts";

/** The whole platform with its edge, calls and files, attacking tenants, and one that attacks nobody. */
export type Stage = {
  platform: Platform;
  target: Target;
  /** Attacks nobody. */
  bystander: Tenant;
  processes: readonly RigProcess[];
  /** Folders whose bytes count as disk: the edge's own, and the services' temporary ones. */
  folders: { path: string; owner?: string }[];
  /** A connection of the run's own. */
  redis: Redis;
  stop(): Promise<void>;
};

const authToken = "the-account-token-of-the-hostile-run";
const accountSid = `AC${"0123456789abcdef".repeat(2)}`;
const attackingTenants = 3;

export async function setStage(folder: string, patience: number): Promise<Stage> {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
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
        // As in production: what a tenant may ask is one of the bounds.
        RATE_LIMIT_PER_MINUTE: "6000",
        TMPDIR: temporary,
      },
    });
    closers.push(() => platform.stop());
    const agent = await platform.startService("services/calls/agent/main.ts", "agent", {});
    await platform.startService("services/calls/main.ts", "calls", {
      REDIS_URL: asRedisUser(`redis://${platform.redis.address}`, "calls"),
      TWILIO_API_URL: platform.simulator.url,
      CALL_AGENT_URL: agent.url.replace("http", "ws"),
      // The hostile carrier's calls must not take the other tenant's slot: that limit has tests of its own.
      MAX_CONCURRENT_CALLS: "500",
      STOP_GRACE_MS: "0",
    });

    const edgeFolder = join(folder, "edge");
    const edge = await startEdge(
      edgeFolder,
      platform.consul.address,
      async (port) => {
        const ask = (path: string) =>
          fetch(`https://127.0.0.1:${port}${path}`, { tls: { rejectUnauthorized: false }, keepalive: false });
        return (await ask("/v1/openapi.json")).ok && (await ask("/webhooks/twilio/voice")).status !== 503;
      },
      { httpsPort, tls },
    );
    closers.push(() => edge.stop());
    platform.processes.push({ name: "nginx", pid: () => edge.pid });

    const customers = await platform.enroll(makeBusinesses(1 + attackingTenants, 4));
    const tenants = await Promise.all(customers.map((customer, n) => empower(platform, customer, `+1555100000${n}`)));
    const redis = createRedis(`redis://${platform.redis.address}`, "queue");
    closers.push(() => redis.disconnect());
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
      folders: [{ path: edgeFolder, owner: "nginx" }, { path: temporary }],
      redis,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A key with every scope, and a number to be called at. */
async function empower({ db }: Platform, customer: Customer, number: string): Promise<Tenant> {
  const scope = forBusiness(db, customer.id);
  const { key, prefix, hash } = generateKey();
  await insertKey(scope, { id: uuidv7(), prefix, hash, scopes: [...scopes] });
  await assignPhoneNumber(scope, number);
  return { ...customer, key, number };
}

/** Files that are to be fetched or described for the first time, and messages that are to be sent. */
async function backlogOf({ owner }: Platform): Promise<number> {
  const [row] = await owner<[{ count: number }]>`
    select ((select count(*) from media_fetches where attempts = 0)
          + (select count(*) from media where status = 'stored' and described_at is null and deleted_at is null)
          + (select count(*) from messages where direction = 'outbound' and status = 'queued'))::integer as count`;
  return row.count;
}
