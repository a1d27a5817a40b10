import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { HistoryRecords } from "./history_records.ts";

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
const chat = (n: number, bytes = 10) => ({ id: `${n}@s.whatsapp.net`, tcToken: randomBytes(bytes), messages: [] });
const read = (bytes: Uint8Array, chunkBytes: number) => {
  const records = new HistoryRecords();
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    found.push(...records.push(bytes.subarray(at, at + chunkBytes)).map((record) => Buffer.from(record)));
  return found.map((record) => proto.Conversation.decode(record).id);
};

describe("the chats of a history", () => {
  test.each([1, 2, 3, 7, 64, 100_000])("are read from chunks of %d bytes", (chunkBytes) => {
    const bytes = history([chat(1), chat(2, 300), chat(3, 20_000)]);
    expect(read(bytes, chunkBytes)).toEqual(["1@s.whatsapp.net", "2@s.whatsapp.net", "3@s.whatsapp.net"]);
  });

  test("are skipped if they are too long", () => {
    expect(read(history([chat(1), chat(2, 9 * 1024 * 1024), chat(3)]), 65_536)).toEqual([
      "1@s.whatsapp.net",
      "3@s.whatsapp.net",
    ]);
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
