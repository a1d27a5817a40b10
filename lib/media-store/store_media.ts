import { createHash } from "node:crypto";
import { AppError } from "../core/errors.ts";
import { uuidv7 } from "../core/ids.ts";
import { abandonMedia, beginMedia, finishMedia } from "../db/index.ts";
import type { BusinessScope, Media } from "../db/index.ts";
import { detectMime, sampleBytes } from "../media/index.ts";
import type { SealedStore } from "../storage/index.ts";

export type StoreMediaOptions = {
  /** Media type that the sender declares. Used for text only; other types are detected from the content. */
  declared?: string | undefined;
  maxBytes: number;
  /** Called with the detected media type before the rest of the content is read. Throws to refuse the type. */
  inspect?: (mime: string) => void;
  /** Expected SHA-256 of the content, hexadecimal. */
  sha256?: string | undefined;
  /** Called with the size so far before each chunk is stored. Throws to enforce the quota of the business. */
  onSize?: (bytes: number) => void;
  /** A scope without the request's deadline, which discards the media if the deadline has passed. Default: `scope`. */
  cleanup?: BusinessScope;
};

/**
 * Streams content into the store as media of a business; it is never in memory as a whole. Deduplicates by SHA-256: if
 * the business already has the content, returns the existing media with `fresh` false.
 * @throws AppError "too_large"; "invalid_request" if the SHA-256 differs from the expected one; "not_found" if the
 *   business does not exist; and errors of `bytes`, `inspect` and `onSize`. Stores nothing if it throws.
 */
export async function storeMedia(
  scope: BusinessScope,
  store: SealedStore,
  bytes: AsyncIterable<Uint8Array>,
  options: StoreMediaOptions,
): Promise<{ media: Media; fresh: boolean }> {
  const id = uuidv7();
  const storage_key = `media/${scope.businessId}/${id}`;
  if (!(await beginMedia(scope, { id, storage_key }))) throw new AppError("not_found", "The business does not exist.");
  try {
    const measured = measure(bytes, options);
    await store.put(storage_key, measured.bytes);
    return await finishMedia(scope, id, measured.result());
  } catch (error) {
    // If this fails, too, the maintenance job removes the media a day later.
    await abandonMedia(options.cleanup ?? scope, id).catch(() => {});
    throw error;
  }
}

/** Passes bytes through and enforces the options. `result` has hash, size and type once all bytes were read. */
function measure(
  source: AsyncIterable<Uint8Array>,
  { declared, maxBytes, inspect, sha256, onSize }: StoreMediaOptions,
) {
  const hash = createHash("sha256");
  let size = 0;
  let mime: string | undefined;
  let digest = "";

  async function* bytes(): AsyncGenerator<Uint8Array> {
    let sample: Uint8Array[] = [];
    let sampled = 0;
    const detect = async () => {
      mime = await detectMime(Buffer.concat(sample).subarray(0, sampleBytes), declared);
      inspect?.(mime);
    };
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBytes) throw new AppError("too_large", `The file exceeds the limit of ${maxBytes} bytes.`);
      onSize?.(size);
      hash.update(chunk);
      if (mime === undefined) {
        // Holds the first chunks back until the media type is known.
        sample.push(Buffer.from(chunk));
        sampled += chunk.length;
        if (sampled < sampleBytes) continue;
        await detect();
        yield* sample;
        sample = [];
      } else {
        yield chunk;
      }
    }
    if (mime === undefined) {
      await detect();
      yield* sample;
    }
    digest = hash.digest("hex");
    if (sha256 !== undefined && sha256 !== digest)
      throw new AppError("invalid_request", `The content has the SHA-256 ${digest}, not the given ${sha256}.`);
  }

  return { bytes: bytes(), result: () => ({ sha256: digest, size, mime: mime ?? "application/octet-stream" }) };
}
