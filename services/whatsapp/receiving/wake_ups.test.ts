import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../../lib/runtime/log.ts";
import { until } from "../../../lib/testing/until.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { Journal } from "./journal.ts";
import { WakeUps } from "./wake_ups.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const logger = createLogger("test", "error");
const receipt = { wa_message_id: "A", chat: "c", status: "read" as const, at: 1 };

let folder: string;
let db: ShardDb;
let woken: string[];
let redisIsDown: boolean;
let wakeUps: WakeUps;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wake-ups-"));
  db = ShardDb.open(join(folder, "shard.db"), KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));
  woken = [];
  redisIsDown = false;
  const wake = async (job: string, payload: object) => {
    if (redisIsDown) throw new Error("no Redis");
    woken.push(`${job} ${JSON.stringify(payload)}`);
  };
  wakeUps = new WakeUps({ wake }, 2, logger, { spacingMs: 5, repeatMs: 20 });
});
afterEach(() => {
  wakeUps.stop();
  db.close();
  rmSync(folder, { recursive: true });
});

describe("wake-ups", () => {
  test("are enqueued for entries and debounced", async () => {
    const journal = new Journal(db, (stream) => wakeUps.appended(stream));
    await Promise.all(Array.from({ length: 100 }, () => journal.append("receipts", business, receipt)));
    await until(() => woken.length > 0, { what: "a wake-up", everyMs: 1 });
    expect(woken.length).toBeLessThan(5);
    expect(new Set(woken)).toEqual(new Set([`receipts {"shard":2}`]));
  });

  test("are repeated while the journal has entries", async () => {
    const journal = new Journal(db, (stream) => wakeUps.appended(stream));
    wakeUps.watch(journal);
    redisIsDown = true;
    await journal.append("receipts", business, receipt);
    await Bun.sleep(0);
    redisIsDown = false;
    await until(() => woken.length >= 2, { what: "repeated wake-ups", everyMs: 1 });
    await journal.acknowledge("receipts", journal.read("receipts", 1).entries[0]!.seq);
    expect(journal.depth("receipts")).toBe(0);
  });

  test("end with the stop", async () => {
    wakeUps.stop();
    wakeUps.appended("inbound");
    await Bun.sleep(10);
    expect(woken).toEqual([]);
  });
});
