import { describe, expect, test } from "bun:test";
import { findBegin, openEntries } from "./open.ts";
import type { Reader } from "./open.ts";
import type { Source } from "./entry.ts";

const source: Source = { name: "api.api[0]", allocation: "a1", task: "api", stream: "stdout" };
const began = Date.UTC(2027, 0, 1);
/** One line of 200 bytes a second. */
const line = (second: number) =>
  `${JSON.stringify({ time: new Date(began + second * 1000).toISOString(), msg: "x".repeat(152) })}\n`;
const log = (seconds: number) => Array.from({ length: seconds }, (_, second) => line(second)).join("");

/** A log in memory, read as Nomad reads one: an offset before the start means the start. */
function readerOf(text: string | null): Reader & { bytes: number } {
  const bytes = Buffer.from(text ?? "");
  const reader = {
    bytes: 0,
    read: (_: Source, { origin, offset }: { origin: "start" | "end"; offset: number }) => {
      let at = origin === "start" ? offset : Math.max(0, bytes.length - offset);
      if (text === null) return Promise.resolve(null);
      const stream = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (at >= bytes.length) return controller.close();
          const chunk = bytes.subarray(at, at + 16_384);
          at += chunk.length;
          reader.bytes += chunk.length;
          controller.enqueue(chunk);
        },
      });
      return Promise.resolve(stream);
    },
  };
  return reader;
}

describe("findBegin", () => {
  test("reads a short log from its start", async () => {
    expect(await findBegin(readerOf(log(10)), source, began + 5_000)).toEqual({ origin: "start", offset: 0 });
    expect(await findBegin(readerOf(null), source, began)).toEqual({ origin: "start", offset: 0 });
  });

  test("begins near the end of a long log", async () => {
    const reader = readerOf(log(100_000));
    expect(await findBegin(reader, source, began + 99_900_000)).toEqual({ origin: "end", offset: 65_536 });
    expect(await findBegin(reader, source, began + 98_000_000)).toEqual({ origin: "end", offset: 524_288 });
    expect(await findBegin(reader, source, began)).toEqual({ origin: "start", offset: 0 });
    // Each look reads the first whole line only.
    expect(reader.bytes).toBeLessThan(1_000_000);
  });

  test("reads a log without times from its start", async () => {
    expect(await findBegin(readerOf("plain text\n".repeat(100_000)), source, began)).toEqual({
      origin: "start",
      offset: 0,
    });
  });
});

describe("openEntries", () => {
  test("misses no line since then", async () => {
    const since = began + 99_000_000;
    const entries = openEntries(readerOf(log(100_000)), source, { since, follow: false });
    const times = (await Array.fromAsync(entries)).map(({ at }) => at).filter((at) => at >= since);
    expect([times.length, times[0], times.at(-1)]).toEqual([1_000, since, began + 99_999_000]);
  });

  test("knows a log that is missing", async () => {
    const entries = openEntries(readerOf(null), source, { since: began, follow: false });
    expect(await Array.fromAsync(entries)).toEqual([]);
  });
});
