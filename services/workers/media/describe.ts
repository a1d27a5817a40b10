import { claimDescription, describeMedia, getMedia } from "../../../lib/db/index.ts";
import type { BusinessScope, Description, Media } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Decode } from "./decoder/decoder.ts";
import { isDescribable } from "./decoder/limits.ts";
import type { MediaDeps } from "./media_deps.ts";

/** A message does not wait longer for the decoder of its worker; its media is described later, by the sweep. */
const maxWaitMs = 20_000;

const nothing: Description = { width: null, height: null, seconds: null, thumbnail_key: null, preview: null };

/**
 * Describes stored media: size and thumbnail of a picture, playing time of audio and video. Media that cannot be
 * decoded, or that took a worker down on each of its attempts, is described as nothing. Returns the media as it is
 * if the decoder is busy, undefined if it was deleted.
 */
export async function describe(
  { store, decoder }: Pick<MediaDeps, "store" | "decoder">,
  scope: BusinessScope,
  media: Media,
  signal?: AbortSignal,
): Promise<Media | undefined> {
  if (!isDescribable(media)) return describeMedia(scope, media.id, nothing);
  const described = await decoder.withSlot(scope.businessId, maxWaitMs, async (decode) => {
    // Recorded before the risk is taken: a worker that dies here leaves a count behind.
    const claimed = await claimDescription(scope, media.id);
    const known = claimed ? undefined : await getMedia(scope, media.id);
    // Another job described it, or it was deleted.
    if (!claimed && known?.described_at !== null) return { media: known };
    const description = claimed ? await descriptionOf(store, media, decode, signal) : nothing;
    return { media: await describeMedia(scope, media.id, description) };
  });
  return described ? described.media : media;
}

async function descriptionOf(
  store: SealedStore,
  media: Media,
  decode: Decode,
  signal?: AbortSignal,
): Promise<Description> {
  const object = await store.get(media.storage_key);
  if (object === null) return nothing;
  const decoded = await decode(object.bytes(), media.mime, signal);
  if (decoded === null) return nothing;
  const { width = null, height = null, seconds = null, preview = null, thumbnail } = decoded;
  if (thumbnail === undefined) return { ...nothing, seconds };
  const thumbnail_key = `${media.storage_key}.thumbnail`;
  await store.put(thumbnail_key, once(Buffer.from(thumbnail, "base64")));
  return { width, height, seconds, preview, thumbnail_key };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
