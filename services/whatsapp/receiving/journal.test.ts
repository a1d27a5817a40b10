import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { Journal } from "./journal.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const key = () => randomBytes(32).toString("base64");
const ring = KeyRing.parse(`k1:${key()}`);
const receipt = (n: number) => ({
  wa_message_id: `3EB0${n}`,
  chat: "49151@s.whatsapp.net",
  status: "read" as const,
  at: n,
});

let folder: string;
let db: ShardDb;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "journal-"));
  db = ShardDb.open(join(folder, "shard.db"), ring);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

describe("the journal", () => {
  test("pages through entries in order until acknowledged", async () => {
    const journal = new Journal(db);
    await Promise.all([1, 2, 3].map((n) => journal.append("receipts", business, receipt(n))));
    await journal.append("events", business, {
      event: "session.status",
      status: "open",
      paired: true,
      since: new Date().toISOString(),
    });
    const first = journal.read("receipts", 2);
    expect(first.entries.map((entry) => entry.data)).toEqual([receipt(1), receipt(2)]);
    expect(first.more).toBeTrue();
    await journal.acknowledge("receipts", first.entries[1]!.seq);
    const second = journal.read("receipts", 2);
    expect(second).toMatchObject({ entries: [{ business_id: business, data: receipt(3) }], more: false });
    expect(journal.depth("receipts")).toBe(1);
    expect(journal.read("events", 10).entries).toHaveLength(1);
  });

  test("survives the process and never reuses numbers", async () => {
    let journal = new Journal(db);
    await journal.append("receipts", business, receipt(1));
    const { seq } = journal.read("receipts", 1).entries[0]!;
    await journal.acknowledge("receipts", seq);
    db.close();
    db = ShardDb.open(join(folder, "shard.db"), ring);
    journal = new Journal(db);
    await journal.append("receipts", business, receipt(2));
    expect(journal.read("receipts", 1).entries[0]!.seq).toBeGreaterThan(seq);
    db.close();
    db = ShardDb.open(join(folder, "shard.db"), ring);
    expect(new Journal(db).depth("receipts")).toBe(1);
  });

  test("rejects a failed commit and reports it", async () => {
    const journal = new Journal(db);
    const failing = db.write(() => {
      throw new Error("disk full");
    });
    const together = journal.append("receipts", business, receipt(1));
    await Promise.all([expect(failing).rejects.toThrow("disk full"), expect(together).rejects.toThrow("disk full")]);
    expect(db.fault).toBe("disk full");
    expect(journal.depth("receipts")).toBe(0);
    await journal.append("receipts", business, receipt(2));
    expect(db.fault).toBeUndefined();
  });

  test("is unreadable on the disk and under other keys", async () => {
    const text = "meet me at the station";
    await new Journal(db).append("inbound", business, {
      wa_message_id: "A",
      chat: "c",
      sender: "c",
      from_me: false,
      timestamp: 1,
      type: "text",
      text,
    });
    db.close();
    for (const file of readdirSync(folder)) expect(readFileSync(join(folder, file), "latin1")).not.toContain(text);
    expect(() => ShardDb.open(join(folder, "shard.db"), KeyRing.parse(`k1:${key()}`))).toThrow(/cannot be used/);
    db = ShardDb.open(join(folder, "shard.db"), ring);
  });
});
describe("a page", () => {
  const long = (n: number) => ({ ...receipt(n), error: { code: "x", message: "x".repeat(1024 * 1024) } });

  test("is bounded by bytes", async () => {
    const journal = new Journal(db);
    for (let n = 0; n < 10; n++) await journal.append("receipts", business, long(n));
    const seen: unknown[] = [];
    for (let more = true; more;) {
      const page = journal.read("receipts", 500);
      expect(JSON.stringify(page).length).toBeLessThan(5 * 1024 * 1024);
      seen.push(...page.entries.map(({ data }) => (data as { at: number }).at));
      await journal.acknowledge("receipts", page.entries.at(-1)!.seq);
      more = page.more;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("contains a larger entry by itself", async () => {
    const journal = new Journal(db);
    const huge = { ...receipt(1), error: { code: "x", message: "x".repeat(5 * 1024 * 1024) } };
    await journal.append("receipts", business, huge);
    await journal.append("receipts", business, receipt(2));
    expect(journal.read("receipts", 500)).toMatchObject({ entries: [{ data: { at: 1 } }], more: true });
  });
});
