import { expect, test } from "bun:test";
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

test("entries that the database refuses are left out, and all others are written in order", async () => {
  const { rows, write } = tableWithout(0, 7, 8, 99);
  const left: [number, string][] = [];
  await writeAround(upTo(100), write, (entry, error) => left.push([entry, String(error)]));
  expect(left.map(([entry]) => entry)).toEqual([0, 7, 8, 99]);
  expect(rows).toEqual(upTo(100).filter((n) => ![0, 7, 8, 99].includes(n)));
});

test("entries that are all good are written at once", async () => {
  let writes = 0;
  await writeAround(
    upTo(500),
    async () => void (writes += 1),
    () => {},
  );
  expect(writes).toBe(1);
});

test("no entries make no write", async () => {
  await writeAround(
    [],
    () => expect.unreachable(),
    () => {},
  );
});

test("a database that is away is no reason to leave anything out", async () => {
  const away = () => Promise.reject(new AppError("unavailable", "The database cannot be reached."));
  await expect(writeAround(upTo(4), away, () => expect.unreachable())).rejects.toThrow("cannot be reached");
});

test("a fault of ours, such as a missing column, leaves nothing out", async () => {
  const broken = () => Promise.reject(Object.assign(new Error("no such column"), { code: "42703" }));
  await expect(writeAround(upTo(4), broken, () => expect.unreachable())).rejects.toThrow("no such column");
});
