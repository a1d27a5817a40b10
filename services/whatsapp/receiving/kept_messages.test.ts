import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import type { InboundData } from "../../../lib/contracts/shard/schemas.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { keptFor, readAgain } from "./kept.ts";
import { KeptMessages, maxUnreadBytes } from "./kept_messages.ts";

const dayMs = 86_400_000;
let folder: string;
let db: ShardDb;
let messages: KeptMessages;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kept-"));
  db = ShardDb.open(join(folder, "shard.db"), KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));
  messages = new KeptMessages(db);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const body = (text: string) => Buffer.from(text);

describe("KeptMessages", () => {
  test("seals contents and separates businesses", async () => {
    await messages.keep("b", "original", "M1", body("a secret"));
    expect(messages.get("b", "original", "M1")).toEqual(body("a secret"));
    expect(messages.get("c", "original", "M1")).toBeUndefined();
    const stored = db.db.query("SELECT box FROM kept").get() as { box: Uint8Array };
    expect(Buffer.from(stored.box).includes("a secret")).toBeFalse();
  });

  test("keeps the first message of an id", async () => {
    await messages.keep("b", "original", "M1", body("first"));
    await messages.keep("b", "original", "M1", body("another sender's"), Date.now() + 1);
    expect(messages.get("b", "original", "M1")).toEqual(body("first"));
  });

  test("bounds each business and drops the oldest", async () => {
    await messages.keep("other", "original", "M", body("x"));
    await Promise.all(
      Array.from({ length: 3_200 }, (_, n) => messages.keep("b", "original", `M${n}`, body("x"), 1_000 + n)),
    );
    const rows = messages.rowsOf("b");
    expect(rows.length).toBeLessThanOrEqual(3_000);
    expect(rows.at(-1)?.wa_message_id).toBe("M3199");
    expect(messages.get("b", "original", "M0")).toBeUndefined();
    expect(messages.get("other", "original", "M")).toBeDefined();
  });

  test("bounds the bytes of a business", async () => {
    const large = Buffer.alloc(maxUnreadBytes);
    await Promise.all(Array.from({ length: 150 }, (_, n) => messages.keep("b", "unread", `M${n}`, large, n)));
    const bytes = messages.rowsOf("b", "unread").reduce((sum, row) => sum + row.body.length, 0);
    expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(messages.get("b", "unread", "M149")).toBeDefined();
  });

  test("purges messages older than their retention", async () => {
    await messages.keep("b", "original", "M1", body("x"));
    await messages.keep("b", "unread", "M2", body("y"));
    await messages.purge(Date.now() + 8 * dayMs);
    expect(messages.rowsOf("b").map(({ purpose }) => purpose)).toEqual(["unread"]);
    await messages.purge(Date.now() + 91 * dayMs);
    expect(messages.rowsOf("b")).toEqual([]);
  });
});

describe("messages of unknown kinds", () => {
  const data: InboundData = {
    wa_message_id: "M1",
    chat: "15550001111@s.whatsapp.net",
    sender: "15550001111@s.whatsapp.net",
    from_me: false,
    push_name: "Ada",
    timestamp: 1_760_000_000_000,
    type: "unknown",
    text: null,
    content: { type: "unknown", kind: "field 150" },
  };
  const readable = proto.Message.encode({ conversation: "now readable" }).finish();
  const read = async () => {
    const journaled: InboundData[] = [];
    await readAgain(messages, "b", async (entry) => void journaled.push(entry));
    return journaled;
  };

  test("are decoded again by a version that knows them", async () => {
    // An earlier version did not know this kind.
    await keptFor("b", messages, () => undefined).unread(data, readable);
    expect(await read()).toEqual([{ ...data, type: "text", text: "now readable", content: null }]);
    expect(await read()).toEqual([]);
  });

  test("are kept while no version knows them", async () => {
    await keptFor("b", messages, () => undefined).unread(data, Buffer.from([0xb2, 0x09, 0x01, 0x78]));
    expect(await read()).toEqual([]);
    expect(messages.rowsOf("b", "unread")).toHaveLength(1);
  });

  test("are not kept beyond 64 KB", async () => {
    await keptFor("b", messages, () => undefined).unread(data, Buffer.alloc(maxUnreadBytes + 1));
    expect(messages.rowsOf("b")).toEqual([]);
  });

  test("stay kept if the journal refuses them", async () => {
    await keptFor("b", messages, () => undefined).unread(data, readable);
    await expect(readAgain(messages, "b", () => Promise.reject(new Error("disk full")))).rejects.toThrow("disk full");
    expect(messages.rowsOf("b", "unread")).toHaveLength(1);
  });
});
