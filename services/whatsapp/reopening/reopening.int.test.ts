import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { kill, processScenario } from "../testing/shard_process.ts";
import type { ShardProcess } from "../testing/shard_process.ts";
import { makePhone, newPhone } from "../testing/shard_under_test.ts";
import type { ReopeningView } from "./reopening.ts";

const scenario = processScenario();

/** The answer to Nomad's check. */
async function check(shard: ShardProcess): Promise<ReopeningView & { status: number }> {
  const response = await shard.request("GET", "/reopened");
  return { ...((await response.json()) as ReopeningView), status: response.status };
}

describe("the check of a shard's sessions", () => {
  test("fails until the sessions of a killed process open", async () => {
    const { simulator, launch } = scenario;
    const [business, phone] = [uuidv7(), newPhone()];
    await makePhone(simulator, phone);
    const first = launch();
    await until(async () => (await check(first)).status === 200, { what: "a shard without sessions" });
    await first.pair(simulator, business, phone);
    await kill(first);

    // A release that reaches no WhatsApp: it is alive and ready, and opens nothing.
    const deaf = launch({ WA_WEBSOCKET_URL: "ws://127.0.0.1:9/ws/chat" });
    await until(() => deaf.log().includes('"resuming"'), { what: "the session to resume" });
    expect((await deaf.request("GET", "/ready")).status).toBe(200);
    expect(await check(deaf)).toMatchObject({ status: 503, done: false, expected: 1, waiting: 1 });
    await kill(deaf);

    const good = launch();
    await good.reaches(business, "open");
    expect(await check(good)).toMatchObject({ status: 200, done: true, expected: 1, waiting: 0 });
  });
});
