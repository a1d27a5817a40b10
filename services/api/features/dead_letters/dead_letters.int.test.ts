import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { queueOn } from "../../../../lib/queues/connection.ts";
import { createDeadLetters, createProducer, definitionOf, queueDepths } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { createTestQueues } from "../../../../lib/testing/queues.ts";
import type { TestQueues } from "../../../../lib/testing/queues.ts";
import { createRedisServer } from "../../../../lib/testing/redis_server.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createHarness } from "../../testing/harness.ts";
import type { Harness } from "../../testing/harness.ts";

let queues: TestQueues;
let api: Harness;
const state = { broken: true, runs: 0 };
beforeAll(async () => {
  queues = await createTestQueues();
  api = await createHarness({ deadLetters: queues.deadLetters });
  const send = async () => {
    state.runs += 1;
    if (state.broken) throw new Error("the database is down");
    return {};
  };
  await queues.serve("high", { send }, { definition: { ...definitionOf("high"), backoff: { baseMs: 1, maxMs: 2 } } });
});
afterAll(async () => {
  await queues.close();
  await api.close();
});
beforeEach(async () => {
  state.broken = true;
  const high = await queueOn(queues.redis, "high");
  for (const job of await high.getFailed()) await job.remove();
});

const path = "/v1/admin/queues/high/dead";
const list = async (query = "") => (await api.request("GET", `${path}${query}`)).body;

async function kill(count: number) {
  for (let n = 1; n <= count; n++)
    await queues.producer.wake("send", { business_id: `01900000-0000-7000-8000-00000000000${n}` });
  await until(async () => (await list()).data.length === count, { what: "dead letters" });
  state.broken = false;
  state.runs = 0;
}

describe("dead letters", () => {
  test("are listed newest first, in pages", async () => {
    await kill(3);
    const { data } = await list();
    expect(data[0]).toMatchObject({
      job: "send",
      reason: "the database is down",
      attempts: 8,
      payload: { business_id: expect.any(String) },
    });
    const first = await list("?limit=2");
    const second = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect([...first.data, ...second.data]).toEqual(data);
    expect(second.next_cursor).toBeNull();
    expect((await api.request("GET", `${path}?cursor=nonsense!`)).status).toBe(400);
  });

  test("hide payloads that cannot be parsed", async () => {
    await (await queueOn(queues.redis, "high")).add("send", { text: "content" });
    const letter = await until(async () => (await list()).data[0], { what: "a dead letter" });
    expect(letter.payload).toBeNull();
    expect(JSON.stringify(letter)).not.toContain("content");
    expect((await api.request("POST", `${path}/${letter.job_id}/replay`)).status).toBe(409);
  });

  test("are replayed one by one, all, or discarded", async () => {
    await kill(4);
    const { data } = await list();
    expect((await api.request("POST", `${path}/${data[0].job_id}/replay`)).status).toBe(204);
    expect((await api.request("DELETE", `${path}/${data[1].job_id}`)).status).toBe(204);
    expect((await api.request("POST", `${path}/replay`)).body).toEqual({ replayed: 2, left: 0 });
    await until(() => state.runs === 3, { what: "the replayed runs" });
    expect((await list()).data).toEqual([]);
    for (const method of ["POST", "DELETE"]) {
      const answer = await api.request(method, `${path}/${data[0].job_id}${method === "POST" ? "/replay" : ""}`);
      expect(answer.status).toBe(404);
    }
  });

  test("answer 404 for unknown queues and business keys", async () => {
    expect((await api.request("GET", "/v1/admin/queues/urgent/dead")).status).toBe(404);
    const { key } = await api.business();
    expect((await api.request("GET", path, { key })).status).toBe(404);
    expect((await api.request("POST", `${path}/replay`, { key })).status).toBe(404);
  });

  test("answer 503 when Redis becomes unavailable", async () => {
    const server = await createRedisServer();
    await server.start();
    const redis = createRedis(server.url, "command");
    const deadLetters = createDeadLetters(redis, createProducer(redis));
    const served = await createHarness({ queueDepths: () => queueDepths(redis), deadLetters });
    const asks: [string, string][] = [
      ["GET", "/v1/admin/queues"],
      ["GET", path],
      ["POST", `${path}/replay`],
      ["POST", `${path}/1/replay`],
      ["DELETE", `${path}/1`],
    ];
    const statuses = () => Promise.all(asks.map(async ([method, at]) => (await served.request(method, at)).status));
    expect(await statuses()).toEqual([200, 200, 200, 404, 404]);
    await server.stop();
    expect(await statuses()).toEqual([503, 503, 503, 503, 503]);
    redis.disconnect();
    await served.close();
  });
});
