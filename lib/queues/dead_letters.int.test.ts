import { afterEach, beforeEach, expect, test } from "bun:test";
import { createTestQueues } from "../testing/queues.ts";
import type { TestQueues } from "../testing/queues.ts";
import { until } from "../testing/until.ts";
import { queueOn } from "./connection.ts";
import { definitionOf } from "./definitions.ts";

let queues: TestQueues;
beforeEach(async () => {
  queues = await createTestQueues();
});
afterEach(() => queues.close());

const business = (n: number) => ({ business_id: `01900000-0000-7000-8000-00000000000${n}` });
const dead = async () => (await queues.deadLetters.list("high")).total;

/** A worker that fails every run while `broken`, and kills `count` sends with it. */
async function kill(count: number) {
  const state = { broken: true, runs: 0 };
  const send = async () => {
    state.runs += 1;
    if (state.broken) throw new Error("the database is away");
    return {};
  };
  await queues.serve("high", { send }, { definition: { ...definitionOf("high"), backoff: { baseMs: 1, maxMs: 2 } } });
  for (let n = 1; n <= count; n++) await queues.producer.wake("send", business(n));
  await until(async () => (await dead()) === count, { what: "dead letters" });
  return state;
}

test("a replayed dead letter runs again and is gone from the list", async () => {
  const state = await kill(1);
  state.broken = false;
  state.runs = 0;
  const { letters } = await queues.deadLetters.list("high");
  expect(letters[0]).toMatchObject({ job: "send", payload: business(1), reason: "the database is away" });
  await queues.deadLetters.replay("high", letters[0]!.jobId);
  await until(() => state.runs === 1, { what: "the replayed run" });
  expect(await dead()).toBe(0);
});

test("all dead letters are replayed at once, and those that cannot be are left and counted", async () => {
  const state = await kill(3);
  await (await queueOn(queues.redis, "high")).add("no_such_job", {});
  await until(async () => (await dead()) === 4, { what: "the fourth dead letter" });
  state.broken = false;
  state.runs = 0;
  expect(await queues.deadLetters.replayAll("high")).toEqual({ replayed: 3, left: 1 });
  await until(() => state.runs === 3, { what: "the replayed runs" });
  expect(await dead()).toBe(1);
});

test("a discarded dead letter is gone; one that is not there is not_found", async () => {
  await kill(1);
  const { letters } = await queues.deadLetters.list("high");
  await queues.deadLetters.discard("high", letters[0]!.jobId);
  expect(await dead()).toBe(0);
  await expect(queues.deadLetters.discard("high", letters[0]!.jobId)).rejects.toMatchObject({ code: "not_found" });
  await expect(queues.deadLetters.replay("high", "nothing")).rejects.toMatchObject({ code: "not_found" });
});

test("pages go from the latest to the oldest", async () => {
  await kill(3);
  const first = await queues.deadLetters.list("high", { offset: 0, limit: 2 });
  const second = await queues.deadLetters.list("high", { offset: 2, limit: 2 });
  expect(first.total).toBe(3);
  expect([...first.letters, ...second.letters].map(({ diedAt }) => diedAt.getTime())).toEqual(
    [...first.letters, ...second.letters].map(({ diedAt }) => diedAt.getTime()).toSorted((a, b) => b - a),
  );
  expect(first.letters.length + second.letters.length).toBe(3);
});
