import { randomBytes } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { endFrame, frameOf, recordsIn, recordsPerFrame } from "./frames.ts";
import { decode, encode } from "./records.ts";
import type { ChangeRecord } from "./records.ts";

const records: ChangeRecord[] = [
  ["row", "journal", 1, "ünïcode 🙂", new Uint8Array([0, 1, 255]), null, 1.5, 2 ** 52],
  ["gone", "journal", 7],
  ["auth", "sessions", "b", "creds", null],
  ["auth", "sessions", "b", "empty", new Uint8Array()],
];
const plain = (all: ChangeRecord[]) =>
  all.map((record) => record.map((value) => (value instanceof Uint8Array ? [...value] : value)));

describe("records", () => {
  test("are decoded as they were encoded", () => {
    expect(plain(decode(encode(records)))).toEqual(plain(records));
    expect(decode(encode([]))).toEqual([]);
  });

  test("are refused if they are cut short", () => {
    const bytes = encode(records);
    for (let length = 1; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      let read: ChangeRecord[] = [];
      try {
        read = decode(cut);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        continue;
      }
      // A cut between two records shows only in the frame around them.
      expect(plain(read)).toEqual(plain(records.slice(0, read.length)));
    }
  });
});

describe("a snapshot's frames", () => {
  const read = async (bytes: Buffer, chunk: number) => {
    const found: ChangeRecord[] = [];
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    }
    for await (const page of recordsIn(chunks())) found.push(...page);
    return plain(found);
  };
  const whole = Buffer.concat([frameOf(records), frameOf(records.slice(0, 1)), endFrame]);

  test.each([1, 7, 65_536])("are read from chunks of %d bytes", async (chunk) => {
    expect(await read(whole, chunk)).toEqual(plain([...records, records[0]!]));
  });

  test("are refused without an end or beyond it", async () => {
    for (const length of [0, 3, 4, frameOf(records).length, whole.length - 1])
      await expect(read(whole.subarray(0, length), 64)).rejects.toThrow("before its last frame");
    await expect(read(Buffer.concat([whole, endFrame]), 64)).rejects.toThrow();
  });

  test("are bounded by bytes", () => {
    const login = Array.from({ length: 20 }, (_, n): ChangeRecord => [
      "auth",
      "sessions",
      "b",
      `${n}`,
      randomBytes(1024 * 1024),
    ]);
    const frames = recordsPerFrame(login);
    expect(frames.flat()).toEqual(login);
    for (const frame of frames) expect(frameOf(frame).length).toBeLessThan(4.1 * 1024 * 1024);
  });

  test("hold a record of more than 64 MB", async () => {
    const value = randomBytes(65 * 1024 * 1024);
    const chunk = 1024 * 1024;
    const bytes = Buffer.concat([frameOf([["auth", "sessions", "b", "session", value]]), whole]);
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    }
    const found: ChangeRecord[] = [];
    for await (const page of recordsIn(chunks())) found.push(...page);
    expect(found).toHaveLength(1 + records.length + 1);
    expect(Buffer.compare(found[0]![4] as Uint8Array, value)).toBe(0);
  }, 30_000);

  test("are refused if their length is beyond any record", async () => {
    const length = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
    await expect(read(Buffer.concat([length, whole]), 64)).rejects.toThrow("too long");
  });
});
