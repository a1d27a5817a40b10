import type { proto } from "@whiskeysockets/baileys";
import { pipeline } from "node:stream/promises";
import { createInflate } from "node:zlib";
import { decrypted, download, HostRefusal, MediaMismatch, mediaKeys } from "../../../lib/media/index.ts";
import { maxTokens } from "./contact_tokens.ts";
import { HistoryRecords } from "./history_records.ts";
import type { HistoryChat } from "./history_records.ts";

/** A history in the notification itself; WhatsApp sends a few kilobytes. */
const maxInlineBytes = 1024 * 1024;
const maxInflatedInlineBytes = 4 * 1024 * 1024;
/** A history on the media host: months of chats of a busy account. */
const maxDownloadedBytes = 128 * 1024 * 1024;
const maxInflatedBytes = 512 * 1024 * 1024;
const inflateChunkBytes = 64 * 1024;
const defaultMediaHost = "mmg.whatsapp.net";

/** The used parts of a history: its chats with a token, maxTokens at most, and the account's salt. */
export type HistoryContent = { chats: HistoryChat[]; contactSalt: Uint8Array | undefined };

export type ReadOptions = {
  /** Time for the history, without the time in which it waits for turns. */
  deadlineMs: number;
  /** Waits until the business may read `bytes`. */
  turn: (bytes: number) => Promise<void>;
};

type HostOptions = ReadOptions & {
  mediaHost: string | undefined;
  proxy: string | undefined;
  /** Aborts the download. */
  stopped: AbortSignal;
};

/** Reads a history that its notification carries. */
export async function readInline(payload: Uint8Array, { deadlineMs, turn }: ReadOptions): Promise<HistoryContent> {
  if (payload.length > maxInlineBytes) throw new RangeError(`it has ${payload.length} bytes`);
  const deadline = new Deadline(deadlineMs);
  return inflate([payload], { maxBytes: maxInflatedInlineBytes, deadline, signal: deadline.signal, turn });
}

/** Downloads a history from the media host. Resolves once the whole file is authenticated. */
export async function readFromHost(
  { mediaKey, directPath, fileSha256, fileEncSha256 }: proto.Message.IHistorySyncNotification,
  { mediaHost = defaultMediaHost, proxy, stopped, deadlineMs, turn }: HostOptions,
): Promise<HistoryContent> {
  if (!mediaKey?.length || !directPath || !fileSha256?.length || !fileEncSha256?.length)
    throw new NoFile("the notification names no file");
  const deadline = new Deadline(deadlineMs);
  const signal = AbortSignal.any([deadline.signal, stopped]);
  const file = decrypted(download(mediaHost, directPath, { signal, proxy }), {
    keys: mediaKeys(mediaKey, "history"),
    fileSha256,
    fileEncSha256,
    maxBytes: maxDownloadedBytes,
  });
  return inflate(file, { maxBytes: maxInflatedBytes, deadline, signal, turn });
}

class NoFile extends Error {}

/** True if no later attempt can succeed: the host lost the file, or there is none. */
export const isPermanent = (error: unknown): boolean =>
  error instanceof HostRefusal ? error.isGone : error instanceof NoFile;

/** True if the content breaks the format or a limit. It is inflated before its end proves that no one altered it. */
export function isMismatch(error: unknown): boolean {
  if (error instanceof MediaMismatch || error instanceof RangeError) return true;
  // Of zlib: the content is no deflated stream.
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}

/** Aborts its signal after `ms`, without the time for which it was paused. */
class Deadline {
  readonly #controller = new AbortController();
  #leftMs: number;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#leftMs = ms;
    this.resume();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  pause(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#startedAt;
  }

  resume(): void {
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => this.#controller.abort(new Error("the history took too long")), this.#leftMs);
    this.#timer.unref();
  }
}

type InflateOptions = Pick<ReadOptions, "turn"> & { maxBytes: number; deadline: Deadline; signal: AbortSignal };

/** Inflates a history in turns with other businesses'. Rejects when the signal aborts. */
async function inflate(
  deflated: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { maxBytes, deadline, signal, turn }: InflateOptions,
): Promise<HistoryContent> {
  const records = new HistoryRecords();
  const chats: HistoryChat[] = [];
  let inflated = 0;
  const consume = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) {
      inflated += chunk.length;
      if (inflated > maxBytes) throw new RangeError("the history is too long");
      deadline.pause();
      await turn(chunk.length);
      deadline.resume();
      const found = records.push(chunk).filter(({ tcToken }) => tcToken?.length);
      chats.push(...found.slice(0, maxTokens - chats.length));
    }
  };
  // Destroys every stream when one fails.
  try {
    await pipeline(deflated, createInflate({ chunkSize: inflateChunkBytes }), consume, { signal });
  } finally {
    deadline.pause();
  }
  return { chats, contactSalt: records.contactSalt };
}
