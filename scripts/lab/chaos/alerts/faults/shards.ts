import { connectAsOwner } from "../../../../../lib/db/client/owner.ts";
import { until } from "../../../../../lib/testing/until.ts";
import { eachOf } from "../../../rig/pairing.ts";
import type { Fault } from "../fault.ts";
import type { Stage } from "../stage.ts";

/** Above the 1,000 of JournalGrowing, with what is not counted yet. */
const journalled = 1_100;

const journalOf = async ({ platform }: Stage): Promise<number> => {
  const metrics = await (await fetch(`http://127.0.0.1:${platform.shards[0]!.opsPort}/metrics`)).text();
  return Number(/^prosaas_whatsapp_journal_entries\{.*stream="inbound".*\} (\d+)$/m.exec(metrics)?.[1]);
};

/** A customer of shard 1 whose session no other fault breaks. */
const [deaf, refused, busy] = [0, 2, 4];

export const shardFaults: readonly Fault[] = [
  {
    name: "a stopped shard",
    needs: [],
    alerts: [{ alert: "ShardWithoutOwner" }],
    inject: async ({ shards }) => {
      await shards[1]!.stop();
      return () => shards[1]!.start();
    },
  },
  {
    name: "a connection that delivers nothing",
    needs: ["sessions"],
    alerts: [{ alert: "DeafSession", labels: () => ({ shard: "1" }) }],
    inject: async ({ platform: { simulator }, customers }) => {
      await simulator.fault({ kind: "silence", phone: customers[deaf]!.phone, answer_pings: true, times: 1 });
      return () => simulator.clearFaults("silence");
    },
  },
  {
    name: "a retired client version",
    needs: ["sessions"],
    alerts: [{ alert: "ClientVersionRefused", labels: () => ({ shard: "1", code: "405" }) }],
    inject: async ({ platform: { simulator, shards }, customers }) => {
      const [shard, { id, phone }] = [shards[0]!, customers[refused]!];
      await simulator.fault({ kind: "login_failure", reason: "405", phone, times: 1 });
      const isRefused = async () => {
        const { status, reason } = await shard.client.view(shard.location, id);
        // Repeats a fault that hit a connection which the session had already closed.
        if (status === "open") await simulator.fault({ kind: "drop", phone });
        return reason?.includes("(405)");
      };
      await until(isRefused, { what: "the session to be refused", everyMs: 100 });
      return () => shard.connect(id);
    },
  },
  {
    name: "no worker for urgent jobs while customers write",
    needs: ["sessions"],
    alerts: [
      { alert: "JournalGrowing", labels: () => ({ shard: "1", stream: "inbound" }) },
      { alert: "OldestJob", labels: () => ({ queue: "high" }) },
    ],
    inject: async (stage) => {
      const { platform, customers, workers } = stage;
      const { phone, contacts } = customers[busy]!;
      await platform.simulator.makePhone(contacts[0]!);
      await workers.high.stop();
      await eachOf(Array.from({ length: journalled }), 8, async (_, n) => {
        await platform.simulator.write(contacts[0]!, phone, `message ${n}`);
      });
      await until(async () => (await journalOf(stage)) > 1_000, { what: "a long journal" });
      return () => workers.high.start();
    },
  },
  {
    name: "a copy that Postgres does not take",
    needs: ["copied"],
    alerts: [{ alert: "CopyTooOld", labels: () => ({ shard: "3" }) }],
    inject: async ({ platform, copied: { business } }) => {
      const sql = connectAsOwner({ url: platform.postgres.ownerUrl, applicationName: "alerts" });
      const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const transaction = sql.begin(async (tx) => {
        await tx`lock table shard_copies in access exclusive mode`;
        locked.resolve();
        await released.promise;
      });
      await Promise.race([locked.promise, transaction]);
      const [contact] = business.contacts;
      await platform.simulator.makePhone(contact!);
      await platform.simulator.write(contact!, business.phone, "a change to copy");
      return async () => {
        released.resolve();
        await transaction;
        await sql.end();
      };
    },
  },
];
