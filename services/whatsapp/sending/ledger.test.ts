import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { Ledger, ledgerRetentionMs } from "./ledger.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const ring = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const handed = (waMessageId: string) => ({
  waMessageId,
  chat: "49151@s.whatsapp.net",
  body: Buffer.from(`body of ${waMessageId}`),
});

let folder: string;
let db: ShardDb;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ledger-"));
  db = ShardDb.open(join(folder, "shard.db"), ring);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

describe("the ledger", () => {
  test("keeps bodies and first results across restarts", async () => {
    let ledger = new Ledger(db);
    await ledger.add(business, [handed("A"), handed("B"), handed("C")]);
    await ledger.setRecipients(business, "A", 2);
    await ledger.settle(business, "A", { status: "sent", at: 5 });
    await ledger.settle(business, "A", { status: "failed", at: 6, error: { code: "463", message: "no" } });
    await ledger.settle(business, "B", { status: "failed", at: 7, error: { code: "463", message: "refused" } });
    db.close();
    db = ShardDb.open(join(folder, "shard.db"), ring);
    ledger = new Ledger(db);
    expect(ledger.resultOf(business, "A")).toEqual({ status: "sent", at: 5, recipients: 2 });
    expect(ledger.resultOf(business, "B")).toEqual({
      status: "failed",
      at: 7,
      error: { code: "463", message: "refused" },
    });
    expect(ledger.resultOf(business, "C")).toBeUndefined();
    expect(ledger.resultOf("another business", "A")).toBeUndefined();
    expect(ledger.body(business, "C")?.toString()).toBe("body of C");
  });

  test("knows its messages without opening their bodies", async () => {
    const ledger = new Ledger(db);
    await ledger.add(business, [handed("A")]);
    const open = spyOn(db.sealer, "open");
    expect(ledger.sentTo(business, "A")).toEqual({ chat: handed("A").chat, recipients: null });
    expect(ledger.sentTo(business, "B")).toBeUndefined();
    expect(ledger.sentTo("another business", "A")).toBeUndefined();
    expect(open).not.toHaveBeenCalled();
    open.mockRestore();
  });

  test("purges messages older than the retention", async () => {
    const ledger = new Ledger(db);
    await ledger.add(business, [handed("A")]);
    await ledger.purge(Date.now() + ledgerRetentionMs - 60_000);
    expect(ledger.body(business, "A")).toBeDefined();
    await ledger.purge(Date.now() + ledgerRetentionMs + 60_000);
    expect(ledger.body(business, "A")).toBeUndefined();
  });
});
