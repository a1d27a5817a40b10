import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { beginMoves, forBusiness, forPlatform, getBusiness, getMove } from "../../../lib/db/index.ts";
import type { Move } from "../../../lib/db/index.ts";
import { createRouterOver } from "../../../lib/routing/index.ts";
import { createShardClient, createShardMoves } from "../../../lib/contracts/shard/index.ts";
import type { ShardMoves } from "../../../lib/contracts/shard/index.ts";
import { testConsulAddr, testRedisUrl } from "../../../lib/testing/servers.ts";
import { until } from "../../../lib/testing/until.ts";
import { firstRun } from "../../../services/workers/testing/run.ts";
import { createTestWorkers } from "../../../services/workers/testing/workers.ts";
import type { TestWorkers } from "../../../services/workers/testing/workers.ts";
import { ShardProcess } from "../../lab/rig/shard.ts";
import { SimulatorProcess } from "../../lab/rig/simulator.ts";

/*
 * Moves end to end: real shard processes that are killed with SIGKILL, the workers' jobs over real Postgres and Redis,
 * and the simulator as WhatsApp. One business with one phone passes through all tests and pairs once.
 */
const folder = mkdtempSync(join(tmpdir(), "prosaas-moves-"));
let simulator: SimulatorProcess;
let shards: Map<number, ShardProcess>;
let workers: TestWorkers;
let moves: ShardMoves;
let business: string;
const phone = "15510009001";
const contacts = ["15520009001", "15520009002"];

beforeAll(async () => {
  simulator = await SimulatorProcess.start(folder);
  shards = new Map();
  for (const number of [1, 2]) {
    const own = join(folder, `shard-${number}`);
    mkdirSync(own);
    const redis = testRedisUrl().replace("redis://", "");
    const shard = await ShardProcess.create({ folder: own, number, simulator, redis, consul: testConsulAddr() });
    shard.start();
    await shard.ready();
    shards.set(number, shard);
  }
  workers = await createTestWorkers();
  const addresses = new Map([...shards].map(([shard, { location }]) => [shard, { shard, url: location.url }]));
  const token = shards.get(1)!.token;
  moves = createShardMoves({ token, timeoutMs: 5_000 });
  Object.assign(workers.deps, {
    router: createRouterOver({ addresses, ageMs: () => 0, ready: Promise.resolve() }, () => 2),
    shards: createShardClient({ token, timeoutMs: 5_000 }),
    moves,
  });
  for (const queue of ["high", "default", "receipts", "low"] as const) await workers.serve(queue);
  business = await workers.business();
  await workers.database.owner`update businesses set whatsapp_shard = 1 where id = ${business}`;
  for (const contact of contacts) await simulator.makePhone(contact);
  await simulator.makePhone(phone);
  const at = { shard: 1, url: shards.get(1)!.location.url };
  await workers.deps.shards.connect(at, business, { method: "qr" });
  const view = () => workers.deps.shards.view(at, business);
  await simulator.scan(phone, await until(async () => (await view()).qr, { what: "a QR code" }));
  await until(async () => (await view()).status === "open", { what: "the session to open" });
});

afterAll(async () => {
  await workers?.close();
  for (const shard of shards?.values() ?? []) await shard.stop("SIGKILL");
  await simulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const home = async () => (await getBusiness(forBusiness(workers.database.db, business)))!.whatsapp_shard!;
const moveRow = async (id: string) => (await getMove(forPlatform(workers.database.db), id))!;
const finished = (id: string) =>
  until<Move | undefined>(
    async () => {
      const row = await moveRow(id);
      return row.finished_at === null ? undefined : row;
    },
    { what: "the move to finish" },
  );

/** Creates a move to the other shard without waking a worker. */
async function beginMove(): Promise<string> {
  const id = uuidv7();
  const [begun] = await beginMoves(forPlatform(workers.database.db), [
    { id, business_id: business, to_shard: (await home()) === 1 ? 2 : 1 },
  ]);
  if (begun === undefined) throw new Error("the move was not created");
  return id;
}

/**
 * Waits until a killed shard runs again. Until then no time passes for the rollback of a long move: on a busy machine a
 * shard starts slowly.
 */
async function restarted(shard: ShardProcess): Promise<void> {
  let isReady = false;
  const ready = shard.ready().finally(() => (isReady = true));
  while (!isReady) {
    await workers.database.owner`
      update moves set fenced_at = now() where fenced_at is not null and finished_at is null`;
    await Bun.sleep(200);
  }
  await ready;
}

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
 * Expects every message at both ends, once and in order. A shard that was killed between WhatsApp's ack and its ledger
 * resends under the same id, and the phone drops the copy; without a kill no message is sent twice.
 */
async function expectAllThere({ killed = false } = {}): Promise<void> {
  const screens = async () => Promise.all(contacts.map((contact) => simulator.screen(contact)));
  // Wakes postponed messages as the outbox sweep does.
  await until(
    async () => {
      await workers.producer.wake("send", { business_id: business }, { expedite: true });
      return (await screens()).every(({ data }) => data.length >= sent.length);
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

describe("a move", () => {
  test("moves a business while it talks", async () => {
    for (let round = 0; round < 2; round++) {
      const from = await home();
      const id = await beginMove();
      let talking = true;
      const talk = (async () => {
        while (talking) await say();
      })();
      await workers.producer.wake("move", { move_id: id });
      const row = await finished(id).finally(() => (talking = false));
      await talk;
      expect(row).toMatchObject({ step: "done", error: null });
      expect(await home()).not.toBe(from);
      expect(row.finished_at!.getTime() - row.fenced_at!.getTime()).toBeLessThan(10_000);
      await expectAllThere();
    }
  });

  type Call = "stop" | "bundle" | "take" | "tombstone" | "open";
  const calls: Call[] = ["stop", "bundle", "take", "tombstone", "open"];

  /** Wraps the first call of one kind in `fault`. */
  function interfere(call: Call, fault: (proceed: () => Promise<unknown>) => Promise<unknown>): void {
    let struck = false;
    const original = moves[call].bind(moves) as (...args: unknown[]) => Promise<unknown>;
    workers.deps.moves = {
      ...moves,
      [call]: async (...args: unknown[]) => {
        if (struck) return original(...args);
        struck = true;
        return fault(() => original(...args));
      },
    };
  }

  const callsOf = { source: ["stop", "bundle", "tombstone"], target: ["take", "open"] };

  for (const victim of ["source", "target"] as const) {
    test(`survives kills of the ${victim} at each call`, async () => {
      for (const call of calls) {
        // The answer is lost only of a call that the victim serves.
        for (const when of callsOf[victim].includes(call) ? ["before", "after"] : ["before"]) {
          const from = await home();
          const killed = shards.get(victim === "source" ? from : 3 - from)!;
          let restart: Promise<void> | undefined;
          interfere(call, async (proceed) => {
            if (when === "after") await proceed();
            await killed.kill();
            restart = restarted(killed);
            if (when === "before") return proceed();
            throw new AppError("unavailable", "the answer was lost");
          });
          const id = await beginMove();
          await say();
          await workers.producer.wake("move", { move_id: id });
          await say();
          const row = await finished(id);
          await restart;
          expect({ call, when, step: row.step, error: row.error }).toEqual({ call, when, step: "done", error: null });
        }
      }
      workers.deps.moves = moves;
      await expectAllThere({ killed: true });
    }, 180_000);
  }

  test("continues after the mover died at each call", async () => {
    class MoverDied extends Error {}
    const moverOf = (move_id: string) => workers.handlers.move(firstRun({ move_id }));
    for (const call of calls) {
      for (const when of ["before", "after"] as const) {
        interfere(call, async (proceed) => {
          if (when === "after") await proceed();
          throw new MoverDied();
        });
        const id = await beginMove();
        await say();
        await expect(moverOf(id)).rejects.toThrow(MoverDied);
        await say();
        expect((await moveRow(id)).finished_at).toBeNull();
        await until(async () => (await moverOf(id)).again === undefined, { what: "the other mover to finish" });
        expect(await moveRow(id)).toMatchObject({ step: "done" });
      }
    }
    workers.deps.moves = moves;
    await expectAllThere();
  });

  test("rolls back when the target refuses the login", async () => {
    const from = await home();
    interfere("take", async () => {
      throw new AppError("conflict", "the login does not open here");
    });
    const id = await beginMove();
    await say();
    await workers.producer.wake("move", { move_id: id });
    expect(await finished(id)).toMatchObject({ step: "rolled_back", error: "the login does not open here" });
    expect(await home()).toBe(from);
    await say();
    await expectAllThere();
    workers.deps.moves = moves;
    const again = await beginMove();
    await workers.producer.wake("move", { move_id: again });
    expect(await finished(again)).toMatchObject({ step: "done" });
    await expectAllThere();
  });

  test("waits for an unavailable target before stopping the source", async () => {
    const to = (await home()) === 1 ? 2 : 1;
    await shards.get(to)!.stop();
    const id = await beginMove();
    await workers.producer.wake("move", { move_id: id });
    await until(async () => (await moveRow(id)).error !== null, { what: "the mover to record its error" });
    expect(await moveRow(id)).toMatchObject({ step: "requested", fence: null });
    await say();
    await expectAllThere();
    shards.get(to)!.start();
    await shards.get(to)!.ready();
    expect(await finished(id)).toMatchObject({ step: "done", error: null });
    await say();
    await expectAllThere();
  });
});
