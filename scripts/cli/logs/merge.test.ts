import { describe, expect, test } from "bun:test";
import { Merge } from "./merge.ts";

type Entry = { at: number; of: string };

const ends = Number.POSITIVE_INFINITY;
const merge = (holdMs = ends, errors: unknown[] = []) =>
  new Merge<Entry>({ holdMs, onError: (error) => void errors.push(error) });

async function* feed(of: string, times: readonly number[], onPull: () => void = () => {}): AsyncGenerator<Entry> {
  for (const at of times) {
    onPull();
    yield await Promise.resolve({ at, of });
  }
}

/** A feed that a test writes to, and that never ends. */
function live(of: string) {
  const { readable, writable } = new TransformStream<Entry, Entry>();
  const writer = writable.getWriter();
  return { feed: readable as AsyncIterable<Entry>, write: (at: number) => void writer.write({ at, of }) };
}

const label = ({ of, at }: Entry) => `${of}${at}`;

describe("a merge of logs that end", () => {
  test("sorts by time and keeps each feed's order", async () => {
    const merged = merge();
    merged.add(feed("a", [1, 4, 4, 9]));
    merged.add(feed("b", [2, 3, 8]));
    merged.add(feed("c", []));
    merged.end();
    expect((await Array.fromAsync(merged)).map(label)).toEqual(["a1", "b2", "b3", "a4", "a4", "b8", "a9"]);
  });

  test("ends at once without feeds", async () => {
    const merged = merge();
    merged.end();
    expect(await Array.fromAsync(merged)).toEqual([]);
  });

  test("reads no further than its consumer", async () => {
    let pulled = 0;
    const merged = merge();
    for (const of of ["a", "b"])
      merged.add(
        feed(
          of,
          Array.from({ length: 1_000 }, (_, at) => at),
          () => (pulled += 1),
        ),
      );
    merged.end();
    const reader = merged[Symbol.asyncIterator]();
    for (let taken = 0; taken < 10; taken++) await reader.next();
    expect(pulled).toBeLessThanOrEqual(12);
  });

  test("goes on without a feed that fails", async () => {
    const errors: unknown[] = [];
    const merged = merge(ends, errors);
    merged.add(feed("a", [1, 3]));
    merged.add(
      (async function* () {
        yield await Promise.resolve({ at: 2, of: "b" });
        throw new Error("broken");
      })(),
    );
    merged.end();
    expect((await Array.fromAsync(merged)).map(label)).toEqual(["a1", "b2", "a3"]);
    expect(errors).toEqual([new Error("broken")]);
  });
});

describe("a merge of logs that go on", () => {
  test("does not wait for a silent feed", async () => {
    const merged = merge(20);
    const [a, silent] = [live("a"), live("b")];
    merged.add(silent.feed);
    merged.add(a.feed);
    a.write(1);
    a.write(2);
    const reader = merged[Symbol.asyncIterator]();
    expect([(await reader.next()).value, (await reader.next()).value].map(label)).toEqual(["a1", "a2"]);
  });

  test("sorts lines that arrive late", async () => {
    const merged = merge(1_000);
    const [a, b] = [live("a"), live("b")];
    merged.add(a.feed);
    merged.add(b.feed);
    const now = Date.now();
    const reader = merged[Symbol.asyncIterator]();
    const first = reader.next();
    a.write(now + 5);
    await Promise.resolve();
    b.write(now);
    expect((await first).value).toMatchObject({ of: "b" });
    expect((await reader.next()).value).toMatchObject({ of: "a" });
  });

  test("takes feeds that are added later", async () => {
    const merged = merge(10);
    const reader = merged[Symbol.asyncIterator]();
    const first = reader.next();
    merged.add(feed("a", [1]));
    expect((await first).value).toMatchObject({ of: "a" });
    merged.end();
    expect(await reader.next()).toMatchObject({ done: true });
  });
});
