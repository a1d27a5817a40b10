import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import { queueOn } from "./connection.ts";
import { definitionOf } from "./definitions.ts";
import { useQueues } from "../testing/use_queues.ts";

const stage = useQueues();

const business = (n: number) => ({ business_id: `01900000-0000-7000-8000-00000000000${n}` });
const dead = async () => (await stage.queues.deadLetters.list("high")).total;

/** Starts a worker that fails every run while `broken`, and produces `count` dead letters with it. */
async function createDeadLetters(count: number) {
  const state = { broken: true, runs: 0 };
  const send = async () => {
    state.runs += 1;
    if (state.broken) throw new Error("the database is unavailable");
    return {};
  };
  await stage.queues.serve(
    "high",
    { send },
    { definition: { ...definitionOf("high"), backoff: { baseMs: 1, maxMs: 2 } } },
  );
  for (let n = 1; n <= count; n++) await stage.queues.producer.wake("send", business(n));
  await until(async () => (await dead()) === count, { what: "dead letters" });
  return state;
}

describe("replay", () => {
  test("runs the job again and removes the letter", async () => {
    const state = await createDeadLetters(1);
    state.broken = false;
    state.runs = 0;
    const { letters } = await stage.queues.deadLetters.list("high");
    expect(letters[0]).toMatchObject({ job: "send", payload: business(1), reason: "the database is unavailable" });
    await stage.queues.deadLetters.replay("high", letters[0]!.jobId);
    await until(() => state.runs === 1, { what: "the replayed run" });
    expect(await dead()).toBe(0);
  });

  test("of all letters leaves those without a job", async () => {
    const state = await createDeadLetters(3);
    await (await queueOn(stage.queues.redis, "high")).add("no_such_job", {});
    await until(async () => (await dead()) === 4, { what: "the fourth dead letter" });
    state.broken = false;
    state.runs = 0;
    expect(await stage.queues.deadLetters.replayAll("high")).toEqual({ replayed: 3, left: 1 });
    await until(() => state.runs === 3, { what: "the replayed runs" });
    expect(await dead()).toBe(1);
  });
});

describe("discard", () => {
  test("removes the letter, which is then not_found", async () => {
    await createDeadLetters(1);
    const { letters } = await stage.queues.deadLetters.list("high");
    await stage.queues.deadLetters.discard("high", letters[0]!.jobId);
    expect(await dead()).toBe(0);
    await expect(stage.queues.deadLetters.discard("high", letters[0]!.jobId)).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(stage.queues.deadLetters.replay("high", "nothing")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("list", () => {
  test("pages from the latest to the oldest", async () => {
    await createDeadLetters(3);
    const first = await stage.queues.deadLetters.list("high", { offset: 0, limit: 2 });
    const second = await stage.queues.deadLetters.list("high", { offset: 2, limit: 2 });
    expect(first.total).toBe(3);
    expect([...first.letters, ...second.letters].map(({ diedAt }) => diedAt.getTime())).toEqual(
      [...first.letters, ...second.letters].map(({ diedAt }) => diedAt.getTime()).toSorted((a, b) => b - a),
    );
    expect(first.letters.length + second.letters.length).toBe(3);
  });
});
