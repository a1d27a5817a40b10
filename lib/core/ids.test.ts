import { afterEach, expect, setSystemTime, test } from "bun:test";
import {
  deterministicUuidv7,
  placedUuidv7,
  uuidv7,
  uuidv7Floor,
  uuidv7Sequence,
  uuidv7Time,
  whatsappMessageId,
} from "./ids.ts";

afterEach(() => {
  setSystemTime();
});

test("ids of one process sort in the order they were made", () => {
  const ids = Array.from({ length: 20_000 }, () => uuidv7());
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test("they do so too when the clock is put back", () => {
  const now = Date.now();
  const ids = [0, -60_000, -1, 1].map((ms) => {
    setSystemTime(now + ms);
    return uuidv7();
  });
  expect(ids.toSorted()).toEqual(ids);
});

test("an id is a version 7 UUID that carries its time", () => {
  const before = Date.now();
  const id = uuidv7();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidv7Time(id)).toBeGreaterThanOrEqual(before);
  expect(uuidv7Floor(before) <= id).toBeTrue();
});

test("the same parts give the same id, and parts do not run together", () => {
  expect(deterministicUuidv7(5, "ab", "c")).toBe(deterministicUuidv7(5, "ab", "c"));
  expect(deterministicUuidv7(5, "ab", "c")).not.toBe(deterministicUuidv7(5, "a", "bc"));
  expect(uuidv7Time(deterministicUuidv7(1_700_000_000_000, "x"))).toBe(1_700_000_000_000);
});

test("ids that are placed within a millisecond sort by their places", () => {
  const ids = [0, 1, 255, 4_094, 4_095].map((place) => placedUuidv7(1_700_000_000_999, place, "x"));
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.map(uuidv7Sequence)).toEqual([0, 1, 255, 4_094, 4_095]);
  expect(ids.map(uuidv7Time)).toEqual(ids.map(() => 1_700_000_000_999));
  expect(placedUuidv7(5, 7, "a")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7007-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a row's WhatsApp id is the same every time and has WhatsApp Web's form", () => {
  const row = uuidv7();
  expect(whatsappMessageId(row)).toBe(whatsappMessageId(row));
  expect(whatsappMessageId(row)).toMatch(/^3EB0[0-9A-F]{18}$/);
});
