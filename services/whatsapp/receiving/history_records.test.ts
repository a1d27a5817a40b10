import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { HistoryRecords } from "./history_records.ts";
import type { HistoryChat } from "./history_records.ts";

const history = (conversations: proto.IConversation[]) =>
  proto.HistorySync.encode(
    proto.HistorySync.fromObject({
      syncType: 0,
      progress: 100,
      chunkOrder: 3,
      pushnames: [{ id: "x" }],
      conversations,
    }),
  ).finish();
const chat = (n: number, bytes = 10) => ({
  id: `${n}@s.whatsapp.net`,
  pnJid: `${n}@s.whatsapp.net`,
  lidJid: `${n}@lid`,
  tcToken: Buffer.alloc(bytes, n),
  tcTokenTimestamp: 1_800_000_000 + n,
  tcTokenSenderTimestamp: 1_700_000_000 + n,
});
/** A chat with messages, before and after the fields that are read. */
const withMessages = (n: number, bytes: number): proto.IConversation => ({
  ...chat(n),
  messages: [{ message: { message: { conversation: "x".repeat(bytes) } } }, {}],
  username: "x".repeat(bytes),
});
const field = (number: number, content: Uint8Array) =>
  Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
const varint = (value: number): Buffer =>
  value < 0x80 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >>> 7)]);
const read = (bytes: Uint8Array, chunkBytes: number) => {
  const records = new HistoryRecords();
  const found: HistoryChat[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    found.push(...records.push(bytes.subarray(at, at + chunkBytes)));
  return found;
};

describe("the chats of a history", () => {
  test.each([1, 2, 3, 7, 64, 100_000])("are read from chunks of %d bytes", (chunkBytes) => {
    const bytes = history([withMessages(1, 10), withMessages(2, 300), withMessages(3, 20_000)]);
    expect(read(bytes, chunkBytes)).toEqual([chat(1), chat(2), chat(3)]);
  });

  test("keep their names without an oversized token", () => {
    const { tcToken: _, ...rest } = chat(2);
    expect(read(history([chat(1), chat(2, 9 * 1024 * 1024), chat(3)]), 65_536)).toEqual([chat(1), rest, chat(3)]);
  });

  test("are read without their messages", () => {
    const empty = field(2, Buffer.alloc(200_000, Buffer.from([0x12, 0])));
    expect(read(Buffer.concat([empty, empty]), 65_536)).toEqual([{}, {}]);
  });

  test("are refused beyond a number of fields or chats", () => {
    const messages = field(2, Buffer.alloc(2 * 1024 * 1024, Buffer.from([0x12, 0])));
    expect(() => read(messages, 65_536)).toThrow("too many fields");
    expect(() => read(Buffer.alloc(400_000, Buffer.from([0x12, 0])), 65_536)).toThrow("too many chats");
  });

  test("are refused if a field exceeds them", () => {
    expect(() => read(Buffer.from([0x12, 2, 0x0a, 5, 0x61, 0x61, 0x61]), 100)).toThrow("exceeds its chat");
  });

  test("end at malformed bytes without an endless loop", () => {
    for (let n = 0; n < 200; n++) {
      try {
        read(randomBytes(500), 50);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
    expect(() => new HistoryRecords().push(Buffer.alloc(64, 0xff))).toThrow("malformed");
  });
});

describe("the salt of a history", () => {
  const saltOf = (bytes: Uint8Array, chunkBytes: number) => {
    const records = new HistoryRecords();
    for (let at = 0; at < bytes.length; at += chunkBytes) records.push(bytes.subarray(at, at + chunkBytes));
    return records.contactSalt;
  };

  test.each([1, 3, 100_000])("is read from chunks of %d bytes", (chunkBytes) => {
    const salt = randomBytes(32);
    const bytes = Buffer.concat([history([withMessages(1, 300)]), field(19, salt), history([chat(2)])]);
    expect(saltOf(bytes, chunkBytes)).toEqual(salt);
    expect(read(bytes, chunkBytes)).toEqual([chat(1), chat(2)]);
  });

  test("is ignored if empty, too long or misplaced", () => {
    for (const bytes of [field(19, Buffer.alloc(0)), field(19, randomBytes(257)), field(2, field(19, randomBytes(8)))])
      expect(saltOf(bytes, 10)).toBeUndefined();
  });
});
