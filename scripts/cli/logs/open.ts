import { nomadStream } from "../../stack/nomad.ts";
import { HttpFailure } from "../operator/http.ts";
import { entriesOf, fieldsOf, timeOf } from "./entry.ts";
import type { Entry, Source } from "./entry.ts";
import { linesOf } from "./lines.ts";

/** Position at which reading begins: a number of bytes after the start of a log, or before its end. */
type Begin = { origin: "start" | "end"; offset: number };
const start: Begin = { origin: "start", offset: 0 };

export type Reader = {
  /** The chunks of a log; null if Nomad has no such log (any more). */
  read(source: Source, begin: Begin, follow: boolean): Promise<ReadableStream<Uint8Array> | null>;
};

/** Logs by Nomad's API. */
export const nomadReader = (addr: string): Reader => ({
  read: async ({ allocation, task, stream }, { origin, offset }, follow) => {
    const query = new URLSearchParams({
      task,
      type: stream,
      plain: "true",
      origin,
      offset: String(offset),
      follow: String(follow),
    });
    const response = await nomadStream(addr, `/v1/client/fs/logs/${allocation}?${query}`);
    if (response.ok) return response.body;
    const text = (await response.text()).trim().slice(0, 200);
    if (response.status === 404) return null;
    throw new HttpFailure(response.status, `Nomad answered ${response.status}: ${text}`);
  },
});

/** A task keeps at most three files of 10 MB for each output. Beyond these, a log is read from its start. */
const probedBytes = [64 * 1024, 512 * 1024, 4 * 1024 * 1024];
/** Enough for the first whole line. */
const probeBytes = 64 * 1024;

/** Finds where to begin such that no line since `since` is missed, without reading the log from its start. */
export async function findBegin(reader: Reader, source: Source, since: number): Promise<Begin> {
  for (const offset of probedBytes) {
    const begin: Begin = { origin: "end", offset };
    const chunks = await reader.read(source, begin, false);
    if (chunks === null) return start;
    const { text, isWhole } = await readFirst(chunks, probeBytes);
    // Nomad gives less than was asked for only from the start on.
    if (isWhole && Buffer.byteLength(text) < offset) return start;
    const first = text
      .split("\n")
      .slice(1, -1)
      .map((line) => timeOf(line, fieldsOf(line)))
      .find((at) => at !== null);
    if (first !== undefined && first < since) return begin;
  }
  return start;
}

async function readFirst(
  chunks: ReadableStream<Uint8Array>,
  bytes: number,
): Promise<{ text: string; isWhole: boolean }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.byteLength;
    if (length >= bytes) return { text: Buffer.concat(parts).toString(), isWhole: false };
  }
  return { text: Buffer.concat(parts).toString(), isWhole: true };
}

/**
 * The entries of a log since then, and those that follow if it is followed; none if Nomad has no such log. The log is
 * opened at the first entry: Nomad answers a request that follows an empty log with the log's first byte.
 */
export async function* openEntries(
  reader: Reader,
  source: Source,
  { since, follow }: { since: number; follow: boolean },
): AsyncGenerator<Entry> {
  const begin = await findBegin(reader, source, since);
  const chunks = await reader.read(source, begin, follow);
  if (chunks !== null) yield* entriesOf(source, linesOf(chunks), { isCut: begin.origin === "end" });
}
