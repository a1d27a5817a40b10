import { createBusiness } from "../../../../lib/testing/business.ts";
import type { TestReplica } from "../../../../lib/testing/replica.ts";
import { startTogether } from "../../rig/cleanup.ts";
import { createKey } from "../../rig/customers.ts";
import type { Sender } from "../../rig/customer_api.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Platform } from "../../rig/platform.ts";

/** Two replicas of the API behind nginx, with every part that their data passes. */
export type Stage = Pick<Platform, "pooler"> & {
  /** The URL of nginx. */
  url: string;
  tenants: Sender[];
  replica: TestReplica;
  primary: Platform["postgres"];
  /** Reports whether every replica of the API reads from the database's replica. */
  replicaIsUsed(): Promise<boolean>;
  /** History reads from the database's replica so far, over all replicas of the API. */
  replicaReads(): Promise<number>;
  /** Ids and texts of a tenant's messages in the primary. */
  stored(businessId: string): Promise<{ id: string; text: string }[]>;
  stop(): Promise<void>;
};

export const setStage = (folder: string, tenantCount: number): Promise<Stage> =>
  startTogether(async (onStop) => {
    const platform = await startPlatform({
      folder,
      shards: 0,
      apis: 2,
      // Accepted messages survive a crash of the primary.
      postgres: { fsync: "on" },
      poolSize: 20,
      replica: true,
    });
    onStop(() => platform.stop());
    const { apis, db, owner, pooler, postgres, replica } = platform;
    const tenants: Sender[] = [];
    for (let n = 0; n < tenantCount; n++) {
      const { businessId: id } = await createBusiness(db);
      tenants.push({ id, key: await createKey(db, id, ["messages:read", "messages:write"]) });
    }
    const edge = await platform.startEdge();
    const metric = async (opsUrl: string, form: RegExp) =>
      Number(form.exec(await (await fetch(`${opsUrl}/metrics`)).text())?.[1] ?? Number.NaN);
    return {
      url: `https://127.0.0.1:${edge.httpsPort}`,
      tenants,
      pooler,
      replica: replica!,
      primary: postgres,
      replicaIsUsed: async () => {
        const lags = await Promise.all(
          apis.map(({ opsUrl }) => metric(opsUrl, /^prosaas_database_replica_lag_seconds\{.*\} (.+)$/m)),
        );
        return lags.every((lag) => lag < 2);
      },
      replicaReads: async () => {
        const form = /^prosaas_database_history_reads_total\{.*server="replica".*\} (\d+)$/m;
        const reads = await Promise.all(apis.map(({ opsUrl }) => metric(opsUrl, form)));
        return reads.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0);
      },
      stored: async (businessId) => [
        ...(await owner<
          { id: string; text: string }[]
        >`select id, text from messages where business_id = ${businessId} order by id`),
      ],
    };
  });
