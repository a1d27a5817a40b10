import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import {
  deterministicUuidv7,
  sequencedUuidv7,
  uuidv7,
  uuidv7Floor,
  uuidv7Sequence,
  uuidv7Time,
  whatsappMessageId,
} from "./ids.ts";

afterEach(() => {
  setSystemTime();
});

describe("uuidv7", () => {
  test("sorts by creation order within one process", () => {
    const ids = Array.from({ length: 20_000 }, () => uuidv7());
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("keeps that order after the clock steps back", () => {
    const now = Date.now();
    const ids = [0, -60_000, -1, 1].map((ms) => {
      setSystemTime(now + ms);
      return uuidv7();
    });
    expect(ids.toSorted()).toEqual(ids);
  });

  test("is a version 7 UUID with its time", () => {
    const before = Date.now();
    const id = uuidv7();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidv7Time(id)).toBeGreaterThanOrEqual(before);
    expect(uuidv7Floor(before) <= id).toBeTrue();
  });
});

describe("deterministicUuidv7", () => {
  test("returns the same id for the same parts", () => {
    expect(deterministicUuidv7(5, "ab", "c")).toBe(deterministicUuidv7(5, "ab", "c"));
    expect(deterministicUuidv7(5, "ab", "c")).not.toBe(deterministicUuidv7(5, "a", "bc"));
    expect(uuidv7Time(deterministicUuidv7(1_700_000_000_000, "x"))).toBe(1_700_000_000_000);
  });
});

describe("sequencedUuidv7", () => {
  test("sorts by sequence within a millisecond", () => {
    const ids = [0, 1, 255, 4_094, 4_095].map((sequence) => sequencedUuidv7(1_700_000_000_999, sequence, "x"));
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.map(uuidv7Sequence)).toEqual([0, 1, 255, 4_094, 4_095]);
    expect(ids.map(uuidv7Time)).toEqual(ids.map(() => 1_700_000_000_999));
    expect(sequencedUuidv7(5, 7, "a")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7007-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

test("whatsappMessageId is deterministic and has WhatsApp Web's form", () => {
  const row = uuidv7();
  expect(whatsappMessageId(row)).toBe(whatsappMessageId(row));
  expect(whatsappMessageId(row)).toMatch(/^3EB0[0-9A-F]{18}$/);
});
