import { rm } from "node:fs/promises";
import { lastBackupKey } from "../../../../../services/workers/upkeep/last_backup.ts";
import { kvPut } from "../../../../../lib/consul/client.ts";
import { connectAsOwner } from "../../../../../lib/db/client/owner.ts";
import { uuidv7 } from "../../../../../lib/core/ids.ts";
import { createDeadLetters, createProducer } from "../../../../../lib/queues/index.ts";
import { until } from "../../../../../lib/testing/until.ts";
import type { Fault } from "../fault.ts";
import { maxConnections, maxWalMegabytes, redisMegabytes } from "../stage.ts";

/** Above EventStreamMemory, below the refusal of writes. */
const filled = 0.7;

/** Above WalHeld. */
const heldMegabytes = 2.5 * maxWalMegabytes;

/** Above DatabaseConnections, beside those of the platform; some are left for its own reconnects. */
const heldConnections = Math.floor(maxConnections * 0.82);

export const dataFaults: readonly Fault[] = [
  {
    name: "a job whose table is gone",
    needs: [],
    alerts: [{ alert: "DeadLetters", labels: () => ({ queue: "high" }) }],
    inject: async ({ platform: { owner }, redis }) => {
      const producer = createProducer(redis);
      const letters = createDeadLetters(redis, producer);
      await owner`alter table webhooks rename to webhooks_away`;
      await producer.wake("deliver", { webhook_id: uuidv7() });
      const dead = async () => (await letters.list("high")).letters;
      try {
        await until(async () => (await dead()).length > 0, { deadlineMs: 120_000, what: "a dead letter" });
      } finally {
        await owner`alter table webhooks_away rename to webhooks`;
      }
      return async () => {
        for (const { jobId } of await dead()) await letters.discard("high", jobId);
        await producer.close();
      };
    },
  },
  {
    name: "a replica that is gone while the primary writes",
    needs: ["replica"],
    alerts: [{ alert: "ReplicaLag" }, { alert: "WalHeld" }],
    inject: async ({ platform: { owner, replica } }) => {
      await replica!.stop();
      for (let n = 0; n < heldMegabytes; n++)
        await owner`select pg_logical_emit_message(false, 'alerts', repeat('x', 1048576))`;
      return () => replica!.start();
    },
  },
  {
    name: "an archive that takes nothing",
    needs: [],
    alerts: [{ alert: "WalArchiveFails" }],
    inject: async ({ platform: { owner }, archiveRefusal }) => {
      const finishSegment = async () => {
        await owner`select pg_logical_emit_message(true, 'alerts', 'a segment with something')`;
        await owner`select pg_switch_wal()`;
      };
      await Bun.write(archiveRefusal, "");
      await finishSegment();
      return async () => {
        await rm(archiveRefusal);
        await finishSegment();
      };
    },
  },
  {
    name: "a backup of two days ago",
    needs: [],
    alerts: [{ alert: "BackupTooOld" }],
    inject: async ({ consul }) => {
      const record = (at: Date) => kvPut(consul, lastBackupKey, JSON.stringify({ id: "x", at: at.toISOString() }));
      await record(new Date(Date.now() - 48 * 3_600_000));
      return () => record(new Date());
    },
  },
  {
    name: "clients that hold the connections",
    needs: [],
    alerts: [{ alert: "DatabaseConnections" }],
    inject: async ({ platform: { postgres } }) => {
      const clients = Array.from({ length: heldConnections }, () =>
        connectAsOwner({ url: postgres.ownerUrl, applicationName: "alerts" }),
      );
      await Promise.all(clients.map((client) => client`select 1`));
      return () => Promise.all(clients.map((client) => client.end()));
    },
  },
  {
    name: "a Redis that fills",
    needs: [],
    alerts: [{ alert: "EventStreamMemory" }],
    inject: async ({ redis }) => {
      const fillers = Array.from({ length: Math.round(redisMegabytes * filled) }, (_, n) => `alerts:filler:${n}`);
      const megabyte = Buffer.alloc(1024 * 1024);
      for (const filler of fillers) await redis.set(filler, megabyte);
      return () => redis.del(...fillers);
    },
  },
];
