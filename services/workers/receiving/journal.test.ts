import { describe, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { writeAround } from "./journal.ts";

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
