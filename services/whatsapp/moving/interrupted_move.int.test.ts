import { describe, expect, spyOn, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { createShardMoves } from "../../../lib/contracts/shard/index.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { newVolume, text, token } from "../testing/shard_under_test.ts";
import { MoveKeys } from "./move_keys.ts";

const scenario = shardScenario();

describe("a move", () => {
  test("survives a kill of its source", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("ack_lost");
    void shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    await until(async () => (await shard.view(business)).queue_depth === 1, { what: "a message in flight" });
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => shard.fetch(request) });
    const at = { shard: 1, url: `http://127.0.0.1:${server.port}` };
    const moves = createShardMoves({ token });
    const order = { move_id: uuidv7(), fence: 1, from: 1, to: 2 };
    // The state that a kill -9 leaves behind while the session waits for its acknowledgements.
    const image = newVolume();
    const sessions = shard.shard;
    const leave = sessions.leave.bind(sessions);
    let state: string | undefined;
    spyOn(sessions, "leave").mockImplementationOnce(async (id) => {
      state = (await moves.departures(at)).data[0]?.state;
      cpSync(scenario.volume, image, { recursive: true });
      return leave(id);
    });
    await moves.stop(at, business, order);
    expect(state).toBe("leaving");
    await shard.stop();
    rmSync(scenario.volume, { recursive: true });
    scenario.volume = image;
    scenario.start();
    await moves.stop(at, business, order);
    const key = Buffer.from(new MoveKeys().offer(business, order)).toString("base64url");
    expect(await moves.bundle(at, business, order, key)).toBeInstanceOf(Uint8Array);
    await server.stop(true);
  });
});
