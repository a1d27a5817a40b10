import { createHash } from "node:crypto";
import { AppError } from "../core/errors.ts";
import { uuidv7 } from "../core/ids.ts";
import { abandonMedia, beginMedia, finishMedia } from "../db/index.ts";
import type { BusinessScope, Media } from "../db/index.ts";
import { detectMime, sampleBytes } from "../media/index.ts";
import type { SealedStore } from "../storage/index.ts";

export type KeepOptions = {
  /** What the file is said to be: believed of texts alone. */
  declared?: string | undefined;
  maxBytes: number;
  /** Looks at what the content is, before the rest of it is read; throws where it is not wanted. */
  inspect?: (mime: string) => void;
  /** Hexadecimal: content with another SHA-256 is refused. */
  sha256?: string | undefined;
  /** Told the size so far before a chunk is stored; throws if the quota of the business does not allow it. */
  onSize?: (bytes: number) => void;
};

/**
 * Writes content into the store as media of a business, in a stream: it is never whole in memory. Content that the
 * business has already is the media it has (`fresh` is false).
 * @throws AppError "too_large"; "invalid_request" where the content has another SHA-256 than was said; "not_found"
 *   where the business is gone; and what `bytes`, `inspect` and `onSize` throw. Nothing is kept then.
 */
export async function keepMedia(
  scope: BusinessScope,
  store: SealedStore,
  bytes: AsyncIterable<Uint8Array>,
  options: KeepOptions,
): Promise<{ media: Media; fresh: boolean }> {
  const id = uuidv7();
  const storage_key = `media/${scope.businessId}/${id}`;
  if (!(await beginMedia(scope, { id, storage_key }))) throw new AppError("not_found", "There is no such business.");
  try {
    const measured = measure(bytes, options);
    await store.put(storage_key, measured.bytes);
    return await finishMedia(scope, id, measured.result());
  } catch (error) {
    // Should this fail too, maintenance finds it a day later.
    await abandonMedia(scope, id).catch(() => {});
    throw error;
  }
}

/** Passes bytes on, and knows at their end what they were. */
function measure(source: AsyncIterable<Uint8Array>, { declared, maxBytes, inspect, sha256, onSize }: KeepOptions) {
  const hash = createHash("sha256");
  let size = 0;
  let mime: string | undefined;
  let digest = "";

  async function* bytes(): AsyncGenerator<Uint8Array> {
    let sample: Uint8Array[] = [];
    let sampled = 0;
    const look = async () => {
      mime = await detectMime(Buffer.concat(sample).subarray(0, sampleBytes), declared);
      inspect?.(mime);
    };
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBytes) throw new AppError("too_large", `A file may have up to ${maxBytes} bytes.`);
      onSize?.(size);
      hash.update(chunk);
      if (mime === undefined) {
        // Held back until it is known what it is.
        sample.push(Buffer.from(chunk));
        sampled += chunk.length;
        if (sampled < sampleBytes) continue;
        await look();
        yield* sample;
        sample = [];
      } else {
        yield chunk;
      }
    }
    if (mime === undefined) {
      await look();
      yield* sample;
    }
    digest = hash.digest("hex");
    if (sha256 !== undefined && sha256 !== digest)
      throw new AppError("invalid_request", "The content is not the one whose SHA-256 was given.");
  }

  return { bytes: bytes(), result: () => ({ sha256: digest, size, mime: mime ?? "application/octet-stream" }) };
}
