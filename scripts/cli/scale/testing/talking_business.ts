import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forBusiness, getBusiness } from "../../../../lib/db/index.ts";
import { createRouterOver } from "../../../../lib/routing/index.ts";
import { createShardClient, createShardMoves } from "../../../../lib/contracts/shard/index.ts";
import type { ShardMoves } from "../../../../lib/contracts/shard/index.ts";
import { testConsulAddr, testRedisUrl } from "../../../../lib/testing/servers.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createTestWorkers } from "../../../../services/workers/testing/workers.ts";
import { ShardProcess } from "../../../lab/rig/shard.ts";
import { SimulatorProcess } from "../../../lab/rig/simulator.ts";

const phone = "15510009001";
const contacts = ["15520009001", "15520009002"];

/**
 * A business with one phone that talks to two contacts: on two shard processes, with the workers' jobs over real
 * Postgres and Redis, and the simulator as WhatsApp.
 */
export async function createTalkingBusiness() {
  // A failed set-up ends what it started.
  await using started = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "prosaas-moves-"));
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const simulator = await SimulatorProcess.start(folder);
  started.defer(() => simulator.stop());
  const shards = new Map<number, ShardProcess>();
  for (const number of [1, 2]) {
    const own = join(folder, `shard-${number}`);
    mkdirSync(own);
    const redis = testRedisUrl().replace("redis://", "");
    const shard = await ShardProcess.create({ folder: own, number, simulator, redis, consul: testConsulAddr() });
    started.defer(() => shard.stop("SIGKILL"));
    shard.start();
    await shard.ready();
    shards.set(number, shard);
  }
  const workers = await createTestWorkers();
  started.defer(() => workers.close());
  const addresses = new Map([...shards].map(([shard, { location }]) => [shard, { shard, url: location.url }]));
  const token = shards.get(1)!.token;
  // A killed shard refuses connections at once; a busy machine answers late.
  const timeoutMs = 30_000;
  const moves: ShardMoves = createShardMoves({ token, timeoutMs });
  Object.assign(workers.deps, {
    router: createRouterOver({ addresses, ageMs: () => 0, ready: Promise.resolve() }, () => 2),
    shards: createShardClient({ token, timeoutMs }),
    moves,
  });
  for (const queue of ["high", "default", "receipts", "low"] as const) await workers.serve(queue);
  const business = await workers.business();
  await workers.database.owner`update businesses set whatsapp_shard = 1 where id = ${business}`;
  for (const contact of contacts) await simulator.makePhone(contact);
  await simulator.makePhone(phone);
  const at = { shard: 1, url: shards.get(1)!.location.url };
  await workers.deps.shards.connect(at, business, { method: "qr" });
  const view = () => workers.deps.shards.view(at, business);
  await simulator.scan(phone, await until(async () => (await view()).qr, { what: "a QR code" }));
  await until(async () => (await view()).status === "open", { what: "the session to open" });
  // The workers store the states of the pairing later. Until then Postgres has no paired session, and refuses messages.
  const stored = async () => {
    const rows = await workers.database.owner`
      select 1 from whatsapp_sessions
      where business_id = ${business} and phone = ${phone} and status = 'open' and paired`;
    return rows.length > 0;
  };
  await until(stored, { what: "the open session in Postgres" });

  const home = async () => (await getBusiness(forBusiness(workers.database.db, business)))!.whatsapp_shard!;

  const sent: string[] = [];
  const answered: string[] = [];

  /** Sends one message to each contact and one back from the first, numbered over the whole file. */
  async function say(): Promise<void> {
    const text = `message ${sent.length + 1}`;
    sent.push(text);
    for (const contact of contacts) await workers.queueMessage(business, `${contact}@s.whatsapp.net`, text);
    await workers.producer.wake("send", { business_id: business });
    const answer = `answer ${answered.length + 1}`;
    answered.push(answer);
    await simulator.write(contacts[0]!, phone, answer);
  }

  /** Resends that the phones dropped by their ids, over the whole file. */
  let dropped = 0;

  /**
   * Expects every message at both ends, once and in order. A shard that was killed between WhatsApp's ack and its
   * ledger resends under the same id, and the phone drops the copy; without a kill no message is sent twice.
   */
  async function expectAllThere({ killed = false } = {}): Promise<void> {
    const screens = async () => Promise.all(contacts.map((contact) => simulator.screen(contact)));
    // Wakes postponed messages as the outbox sweep does.
    await until(
      async () => {
        await workers.producer.wake("send", { business_id: business }, { expedite: true });
        const shown = (await screens()).map(({ data }) => data.length);
        if (shown.some((count) => count < sent.length)) throw new Error(`${shown.join(" and ")} of ${sent.length}`);
        return true;
      },
      { what: "every message on its phone", everyMs: 200 },
    );
    const seen = await screens();
    for (const { data, undecryptable } of seen) {
      expect({ texts: data.map(({ text }) => text!), undecryptable }).toEqual({ texts: sent, undecryptable: 0 });
    }
    const resends = seen.reduce((sum, { duplicates }) => sum + duplicates, 0);
    if (!killed) expect(resends).toBe(dropped);
    dropped = resends;
    const inbound = async () => (await workers.rows(business)).filter(({ direction }) => direction === "inbound");
    await until(async () => (await inbound()).length >= answered.length, {
      what: "every answer in Postgres",
    });
    // WhatsApp's times are in seconds, so rows of one second have no order.
    const written = Map.groupBy(await inbound(), ({ queued_at }) => new Date(queued_at).getTime());
    const numbers = [...written]
      .toSorted(([a], [b]) => a - b)
      .map(([, rows]) => rows.map(({ text }) => Number(text!.split(" ")[1])).toSorted((a, b) => a - b));
    expect(numbers.flat()).toEqual(answered.map((_, n) => n + 1));
  }

  const running = started.move();
  return {
    business,
    shards,
    workers,
    moves,
    home,
    say,
    expectAllThere,
    close: () => running.disposeAsync(),
  };
}

export type TalkingBusiness = Awaited<ReturnType<typeof createTalkingBusiness>>;
