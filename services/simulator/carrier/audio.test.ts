import { expect, test } from "bun:test";
import { hum, wav } from "./audio.ts";

test("hum has 50 frames of 160 bytes a second", () => {
  expect(hum.map((frame) => frame.length)).toEqual(Array.from({ length: 50 }, () => 160));
});

test("wav encodes μ-law with interleaved channels", () => {
  const file = wav([Buffer.from([1, 2, 3]), Buffer.from([9])]);
  expect(file.toString("latin1", 0, 4) + file.toString("latin1", 8, 12)).toBe("RIFFWAVE");
  expect([file.readUInt16LE(20), file.readUInt16LE(22), file.readUInt32LE(24)]).toEqual([7, 2, 8000]);
  expect(file.readUInt32LE(4)).toBe(file.length - 8);
  expect([...file.subarray(46)]).toEqual([1, 9, 2, 0xff, 3, 0xff]);
});
