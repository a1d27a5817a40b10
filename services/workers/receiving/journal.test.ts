import { describe, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { isRefusalOrTimeout, shortened, writeAround } from "./journal.ts";

const dataException = (message: string) => Object.assign(new Error(message), { code: "22P05" });

/** A database that takes everything but the given numbers. */
function tableWithout(...refused: number[]) {
  const rows: number[] = [];
  const write = async (entries: number[]) => {
    const bad = entries.find((entry) => refused.includes(entry));
    if (bad !== undefined) throw dataException(`cannot hold ${bad}`);
    rows.push(...entries);
  };
  return { rows, write };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("writeAround", () => {
  test("leaves out refused entries and keeps the order", async () => {
    const { rows, write } = tableWithout(0, 7, 8, 99);
    const left: [number, string][] = [];
    await writeAround(upTo(100), write, (entry, error) => left.push([entry, String(error)]));
    expect(left.map(([entry]) => entry)).toEqual([0, 7, 8, 99]);
    expect(rows).toEqual(upTo(100).filter((n) => ![0, 7, 8, 99].includes(n)));
  });

  test("writes valid entries at once", async () => {
    let writes = 0;
    await writeAround(
      upTo(500),
      async () => void (writes += 1),
      () => {},
    );
    expect(writes).toBe(1);
  });

  test("writes nothing for no entries", async () => {
    await writeAround(
      [],
      () => expect.unreachable(),
      () => {},
    );
  });

  test("leaves nothing out when the database is unavailable", async () => {
    const away = () => Promise.reject(new AppError("unavailable", "The database cannot be reached."));
    await expect(writeAround(upTo(4), away, () => expect.unreachable())).rejects.toThrow("cannot be reached");
  });

  test("leaves nothing out for a fault of ours", async () => {
    const broken = () => Promise.reject(Object.assign(new Error("no such column"), { code: "42703" }));
    await expect(writeAround(upTo(4), broken, () => expect.unreachable())).rejects.toThrow("no such column");
  });
});

describe("a batch that times out", () => {
  const timeout = () => {
    const cause = Object.assign(new Error("canceling statement"), { code: "57014" });
    return Promise.reject(new AppError("unavailable", "The database cannot answer.", { cause }));
  };
  const entries = Array.from({ length: 500 }, (_, n) => ({ seq: n * 2 }));
  const batch = { entries, rejected: [{ seq: 3 }, { seq: 501 }], through: 999, more: false };

  test("is attempted whole twice", () => {
    for (const attempt of [1, 2]) expect(shortened(batch, attempt)).toBe(batch);
  });

  test("becomes shorter with each further attempt", () => {
    const sizes = [3, 4, 5, 20].map((attempt) => shortened(batch, attempt).entries.length);
    expect(sizes).toEqual([50, 5, 1, 1]);
    expect(shortened(batch, 4)).toMatchObject({ rejected: [{ seq: 3 }], through: 8, more: true });
    expect(shortened({ ...batch, entries: [] }, 9)).toMatchObject({ through: 999, more: false });
  });

  test("loses its entry only if timeouts count", async () => {
    const left: number[] = [];
    await expect(writeAround([7], timeout, (entry) => left.push(entry))).rejects.toThrow("cannot answer");
    expect(left).toEqual([]);
    await writeAround([7], timeout, (entry) => left.push(entry), isRefusalOrTimeout);
    expect(left).toEqual([7]);
  });
});
