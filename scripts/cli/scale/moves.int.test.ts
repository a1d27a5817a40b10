import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { beginMoves, forPlatform, getMove } from "../../../lib/db/index.ts";
import type { Move } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { maxSilenceMs } from "../../../services/workers/moves/move.ts";
import { firstRun } from "../../../services/workers/testing/run.ts";
import type { ShardProcess } from "../../lab/rig/shard.ts";
import { createTalkingBusiness } from "./testing/talking_business.ts";
import type { TalkingBusiness } from "./testing/talking_business.ts";

// Shards start twenty times, each for seconds on a busy machine.
setDefaultTimeout(600_000);

// Moves end to end, with shards that are killed with SIGKILL. One business passes through all tests and pairs once.
let talking: TalkingBusiness;
let { shards, workers, moves, business, home, say, expectAllThere } = {} as TalkingBusiness;
beforeAll(async () => {
  talking = await createTalkingBusiness();
  ({ shards, workers, moves, business, home, say, expectAllThere } = talking);
});
afterAll(() => talking?.close());

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

const lostAnswer = "the answer was lost";

/**
 * Restarts a killed shard after a call to it failed, or after the move finished without another call. Resolves with
 * true if a call failed.
 */
async function restartAfterRetry(shard: ShardProcess, id: string): Promise<boolean> {
  const metDead = ({ error }: Move) => error !== null && error !== lostAnswer;
  const row = await until(
    async () => {
      const current = await moveRow(id);
      return metDead(current) || current.finished_at !== null ? current : undefined;
    },
    { what: "a call to the dead shard", everyMs: 5 },
  );
  shard.start();
  await shard.ready();
  return metDead(row);
}

const silentMs = ({ fenced_at, finished_at }: Move) => finished_at!.getTime() - fenced_at!.getTime();
const statusOn = async (shard: number) =>
  (await workers.deps.shards.view(shards.get(shard)!.location, business)).status;

describe("a move", () => {
  test("moves a business while it talks", async () => {
    for (let round = 0; round < 2; round++) {
      const from = await home();
      const counts = countCalls();
      const id = await beginMove();
      let isTalking = true;
      const talk = (async () => {
        while (isTalking) await say();
      })();
      await workers.producer.wake("move", { move_id: id });
      const row = await finished(id).finally(() => (isTalking = false));
      await talk;
      expect(row).toMatchObject({ step: "done", error: null });
      expect(await home()).not.toBe(from);
      // The silence has no backoff in it and ends with the open session, however slow the machine is.
      expect(counts).toMatchObject({ bundle: 1, take: 1, tombstone: 1, open: 1 });
      expect(await statusOn(await home())).toBe("open");
      expect(silentMs(row)).toBeLessThan(60_000);
      await expectAllThere();
    }
    workers.deps.moves = moves;
  });

  type Call = "stop" | "bundle" | "take" | "tombstone" | "open";
  const calls: Call[] = ["stop", "bundle", "take", "tombstone", "open"];

  /** Counts the mover's calls from now on. */
  function countCalls(): Record<Call, number> {
    const counts = { stop: 0, bundle: 0, take: 0, tombstone: 0, open: 0 };
    const counted = calls.map((call) => {
      const original = moves[call].bind(moves) as (...args: unknown[]) => Promise<unknown>;
      const count = (...args: unknown[]) => {
        counts[call] += 1;
        return original(...args);
      };
      return [call, count];
    });
    workers.deps.moves = { ...moves, ...Object.fromEntries(counted) };
    return counts;
  }

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
          const id = await beginMove();
          let restart: Promise<boolean> | undefined;
          interfere(call, async (proceed) => {
            if (when === "after") await proceed();
            await killed.stop("SIGKILL");
            restart = restartAfterRetry(killed, id);
            if (when === "before") return proceed();
            throw new AppError("unavailable", lostAnswer);
          });
          await say();
          await workers.producer.wake("move", { move_id: id });
          await say();
          const row = await finished(id);
          const moved = { step: "done", error: null };
          // A shard that starts for longer than the business may be silent.
          const isOverdue = row.step === "rolled_back" && silentMs(row) > maxSilenceMs;
          expect({ call, when, row }).toMatchObject({ call, when, row: isOverdue ? { to_shard: 3 - from } : moved });
          expect(await home()).toBe(isOverdue ? from : 3 - from);
          // Every killed shard is called again, except a source that has its tombstone.
          expect({ call, when, wasCalledDead: await restart }).toEqual({
            call,
            when,
            wasCalledDead: !(victim === "source" && call === "open"),
          });
        }
      }
      workers.deps.moves = moves;
      await expectAllThere({ killed: true });
    });
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

  test("rolls back when the target stays dead", async () => {
    const from = await home();
    const target = shards.get(3 - from)!;
    interfere("take", async (proceed) => {
      await target.stop("SIGKILL");
      return proceed();
    });
    const id = await beginMove();
    await say();
    await workers.producer.wake("move", { move_id: id });
    const row = await finished(id);
    expect(row).toMatchObject({
      step: "rolled_back",
      error: expect.stringContaining(`Shard ${3 - from} is unavailable`),
    });
    expect(silentMs(row)).toBeGreaterThan(maxSilenceMs);
    expect(await home()).toBe(from);
    await say();
    await expectAllThere();
    workers.deps.moves = moves;
    target.start();
    await target.ready();
    const again = await beginMove();
    await workers.producer.wake("move", { move_id: again });
    expect(await finished(again)).toMatchObject({ step: "done", error: null });
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
