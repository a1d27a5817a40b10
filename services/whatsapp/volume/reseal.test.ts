import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import type { JournalData } from "../../../lib/contracts/shard/schemas.ts";
import { Journal } from "../receiving/journal.ts";
import { KeptMessages } from "../receiving/kept_messages.ts";
import { Ledger } from "../sending/ledger.ts";
import { resealUnderFirstKey } from "./reseal.ts";
import { ShardDb } from "./shard_db.ts";
import { VolumeRefused } from "./volume.ts";

const shared = `k1:${randomBytes(32).toString("base64")}`;
const own = `s1:${randomBytes(32).toString("base64")}`;
const logger = createLogger("test", "error");
const count = 1_200;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reseal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(ring: string) {
  const db = ShardDb.open(join(folder, "shard.db"), KeyRing.parse(ring));
  return { db, journal: new Journal(db), ledger: new Ledger(db), kept: new KeptMessages(db), logger };
}

const body = (n: number) => Buffer.from(`message ${n}`);

async function filled(): Promise<void> {
  const { db, journal, ledger, kept } = open(shared);
  await kept.keep("b", "original", "K1", body(1));
  await ledger.add(
    "b",
    Array.from({ length: count }, (_, n) => ({ waMessageId: `M${n}`, chat: "c", body: body(n) })),
  );
  await ledger.settle("b", "M7", { status: "sent", at: 1 });
  const event = { type: "test" } as unknown as JournalData<"events">;
  await Promise.all(Array.from({ length: count }, () => journal.append("events", "b", event)));
  db.close();
}

describe("a database sealed under another ring", () => {
  test("needs that ring until it is resealed", async () => {
    await filled();
    expect(() => open(own)).toThrow(VolumeRefused);
    const parts = open(`${own},${shared}`);
    expect(parts.db.needsFormerKeys).toBeTrue();
    await resealUnderFirstKey(parts);
    expect(parts.db.needsFormerKeys).toBeFalse();
    parts.db.close();

    const { db, ledger, journal, kept } = open(own);
    expect(kept.get("b", "original", "K1")).toEqual(body(1));
    for (const n of [0, 7, count - 1]) expect(ledger.body("b", `M${n}`)).toEqual(body(n));
    expect(ledger.resultOf("b", "M7")).toEqual({ status: "sent", at: 1 });
    expect(journal.read("events", count).entries).toHaveLength(count);
    db.close();
    expect(() => open(shared)).toThrow(VolumeRefused);
  });

  test("accepts writes while it is resealed", async () => {
    await filled();
    const parts = open(`${own},${shared}`);
    const sealing = resealUnderFirstKey(parts);
    await parts.ledger.add("b", [{ waMessageId: "NEW", chat: "c", body: body(0) }]);
    await parts.journal.acknowledge("events", 10);
    await sealing;
    parts.db.close();
    const { db, ledger, journal } = open(own);
    expect(ledger.body("b", "NEW")).toEqual(body(0));
    expect(journal.read("events", count).entries).toHaveLength(count - 10);
    db.close();
  });

  test("resumes after it was closed halfway", async () => {
    await filled();
    const parts = open(`${own},${shared}`);
    const sealing = resealUnderFirstKey(parts);
    parts.db.close();
    await sealing;
    const again = open(`${own},${shared}`);
    expect(again.db.needsFormerKeys).toBeTrue();
    await resealUnderFirstKey(again);
    expect(again.db.needsFormerKeys).toBeFalse();
    again.db.close();
    open(own).db.close();
  });
});
