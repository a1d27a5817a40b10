import { NOISE_WA_HEADER } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { FrameReader, frame } from "./frames.ts";

const header = Buffer.from(NOISE_WA_HEADER);
const stream = Buffer.concat([header, frame(Buffer.from("one")), frame(Buffer.alloc(0)), frame(Buffer.alloc(5000, 7))]);
const expected = ["one", "", Buffer.alloc(5000, 7).toString()];

describe("FrameReader", () => {
  test("reassembles frames from chunks of any size", () => {
    for (const size of [1, 2, 3, 5, 64, 65_536, stream.length]) {
      const reader = new FrameReader();
      const frames: string[] = [];
      for (let at = 0; at < stream.length; at += size)
        frames.push(...reader.push(stream.subarray(at, at + size)).map(String));
      expect(frames).toEqual(expected);
    }
  });

  test("skips edge routing before the header", () => {
    const routing = Buffer.from("some edge");
    const intro = Buffer.concat([Buffer.from("45440001", "hex"), Buffer.from([0x00, 0x00, routing.length]), routing]);
    const reader = new FrameReader();
    expect(reader.push(intro.subarray(0, 9))).toEqual([]);
    expect(reader.push(Buffer.concat([intro.subarray(9), header, frame(Buffer.from("one"))])).map(String)).toEqual([
      "one",
    ]);
  });

  test("refuses a stream without WhatsApp's header", () => {
    expect(() => new FrameReader().push(Buffer.from("GET / HTTP/1.1"))).toThrow("header");
  });
});
