import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul, kvGet } from "../../../../lib/consul/client.ts";
import { getCopy, forPlatform } from "../../../../lib/db/index.ts";
import type { ShardCopyRow } from "../../../../lib/db/index.ts";
import { ownerKey } from "../../../../lib/routing/index.ts";
import { createMigratedDatabase } from "../../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../../lib/testing/database.ts";
import { testConsulAddr } from "../../../../lib/testing/servers.ts";
import { until } from "../../../../lib/testing/until.ts";
import { processScenario } from "../../testing/shard_process.ts";
import type { ProcessScenario, ShardProcess } from "../../testing/shard_process.ts";
import { control, newVolume } from "../../testing/shard_under_test.ts";
import type { Durability } from "../copy.ts";

export type CopyScenario = {
  shards: ProcessScenario;
  database: MigratedDatabase;
  /** Folder of the snapshots. */
  storage: string;
  /** Starts the shard on a volume; on the scenario's own by default. */
  launch(durability: Durability | "local", volume?: string, env?: Record<string, string>): ShardProcess;
  /** An empty volume. It is removed after the test. */
  emptyVolume(): string;
  copy(): Promise<ShardCopyRow>;
  /** Waits until the shard could be restored. */
  complete(): Promise<ShardCopyRow>;
  /** Waits until the copy has every change of the shard. */
  upToDate(shard: ShardProcess): Promise<void>;
  /** Ends what a dead owner still holds: its lock in Consul, and its lease in Postgres. */
  expireOwner(): Promise<void>;
  expireLock(): Promise<void>;
  expireLease(): Promise<void>;
  /** Logins of a device whose earlier connection was still open. */
  replacedLogins(): Promise<number>;
};

/** Registers the hooks of a test file that copies shards to Postgres and a storage. */
export function copyScenario(): CopyScenario {
  const shards = processScenario();
  const consul = createConsul({ addr: testConsulAddr() });
  let volumes: string[] = [];
  let replacedBefore = 0;
  const replaced = async () =>
    (await control<{ logins_replaced: number }>(shards.simulator, "GET", "/stats")).logins_replaced;
  const scenario: CopyScenario = {
    shards,
    database: undefined as unknown as MigratedDatabase,
    storage: "",
    launch: (durability, volume = shards.volume, env = {}) => {
      const url = new URL(scenario.database.ownerUrl);
      url.searchParams.set("role", "prosaas_shards");
      return shards.launch({
        AUTH_DIR: volume,
        WA_DURABILITY: durability,
        DATABASE_URL_POOLER: url.toString(),
        STORAGE_URL: `file://${scenario.storage}`,
        ...env,
      });
    },
    emptyVolume: () => {
      const volume = newVolume();
      volumes.push(volume);
      return volume;
    },
    copy: async () => (await getCopy(forPlatform(scenario.database.db), shards.index + 1))!,
    complete: () =>
      until<ShardCopyRow | undefined>(
        async () => {
          const copy = await getCopy(forPlatform(scenario.database.db), shards.index + 1);
          return copy?.complete ? copy : undefined;
        },
        { what: "a complete copy" },
      ),
    upToDate: async (shard) => {
      const isUpToDate = async () =>
        /whatsapp_copy_behind_seconds\S* 0$/m.test(await (await shard.request("GET", "/metrics")).text());
      await until(isUpToDate, { what: "a copy that is up to date" });
    },
    expireLock: async () => {
      const entry = await kvGet(consul, ownerKey(shards.index + 1));
      if (entry?.session) await consul.api.session.destroy(entry.session);
    },
    expireLease: async () => {
      await scenario.database
        .owner`update shard_copies set leased_until = now() - interval '1 second' where shard = ${shards.index + 1}`;
    },
    expireOwner: async () => {
      await scenario.expireLock();
      await scenario.expireLease();
    },
    replacedLogins: async () => (await replaced()) - replacedBefore,
  };
  beforeAll(async () => {
    scenario.database = await createMigratedDatabase();
  });
  afterAll(() => scenario.database.close());
  beforeEach(async () => {
    volumes = [];
    scenario.storage = mkdtempSync(join(tmpdir(), "copies-"));
    replacedBefore = await replaced();
  });
  afterEach(() => {
    for (const folder of [...volumes, scenario.storage]) rmSync(folder, { recursive: true, force: true });
  });
  return scenario;
}
