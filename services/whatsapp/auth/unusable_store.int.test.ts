import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { newKeys, newPhone, text } from "../testing/shard_under_test.ts";
import { AuthStore } from "./auth_store.ts";

const scenario = shardScenario();

describe("an unusable auth store", () => {
  test.each([
    ["under another key", "wrong_key", "sealed under another key"],
    ["cut short", "cut", "malformed"],
    ["of another kind", "foreign", "not a database"],
  ])("stops only its session and is untouched: %s", async (_what, how, reason) => {
    const { simulator, shard, business, phone, contact } = scenario;
    const other = uuidv7();
    await shard.pair(simulator, business, phone);
    await shard.pair(simulator, other, newPhone());
    await shard.stop();
    const path = join(scenario.volume, "sessions", business, "auth.db");
    if (how === "wrong_key") {
      rmSync(path);
      AuthStore.open(path, business, KeyRing.parse(newKeys())).close();
    } else if (how === "cut") truncateSync(path, 6000);
    else writeFileSync(path, "not a database".repeat(500));
    const before = readFileSync(path);

    scenario.start();
    await shard.reaches(other, "open");
    expect(await shard.view(business)).toMatchObject({ status: "auth_error", reason: expect.stringContaining(reason) });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    expect(await shard.view(business)).toMatchObject({ status: "auth_error", paired: true });
    // The login may return with its keys or its file: messages wait for it.
    const { status } = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [text(contact, "waits")],
    });
    expect(status).toBe(503);
    expect(readFileSync(path)).toEqual(before);
  });

  test("stops only its session: unreadable suspension record", async () => {
    const { simulator, shard, business, phone, fault } = scenario;
    await shard.pair(simulator, business, phone);
    const [other, otherPhone] = [uuidv7(), newPhone()];
    await shard.pair(simulator, other, otherPhone);
    await fault("replaced");
    await shard.reaches(business, "conflict");
    await shard.stop();
    const db = new Database(join(scenario.volume, "sessions", business, "auth.db"));
    db.run("UPDATE entries SET box = zeroblob(length(box)) WHERE name = 'halt'");
    db.close();
    scenario.start();
    await shard.reaches(other, "open");
    expect(await shard.view(business)).toMatchObject({
      status: "auth_error",
      reason: expect.stringContaining("suspension"),
    });
  });

  test("is opened again while messages wait", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const path = join(scenario.volume, "sessions", business, "auth.db");
    renameSync(path, `${path}.moved`);
    mkdirSync(path);
    scenario.start();
    await until(async () => (await shard.view(business)).reason?.includes("unable to open"), { what: "the reason" });
    const message = text(contact, "waits");
    expect((await shard.request("POST", `/sessions/${business}/messages`, { messages: [message] })).status).toBe(503);
    rmdirSync(path);
    renameSync(`${path}.moved`, path);
    await shard.reaches(business, "open");
    expect((await shard.send(business, [message]))[0]?.status).toBe("sent");
  });
});
