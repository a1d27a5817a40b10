import { parseBuffer } from "music-metadata";
import sharp from "sharp";
import { describeMedia } from "../../../lib/db/index.ts";
import type { BusinessScope, Description, Media } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";

/** A page of a console shows pictures at about this size. */
const thumbnailPixels = 320;
/** WhatsApp blurs it until the picture is there; more would make messages large. */
const previewPixels = 72;
/** A picture that says it has more is not unpacked: 100 million pixels take 300 MB. */
const maxPixels = 50_000_000;
/** What is looked into has to be whole in memory. */
const maxLookedInto = 16 * 1024 * 1024;
const timeoutS = 20;

// One thread for each picture, and none kept at hand: a worker does several jobs at once.
sharp.concurrency(1);
sharp.cache(false);

const nothing: Description = { width: null, height: null, seconds: null, thumbnail_key: null, preview: null };

/**
 * Looks into content and writes down what it shows: pixels and a thumbnail of pictures, the playing time of what is
 * played. What cannot be read is described as nothing. Undefined where the media is gone.
 */
export async function describe(scope: BusinessScope, store: SealedStore, media: Media): Promise<Media | undefined> {
  return describeMedia(scope, media.id, await lookInto(store, media));
}

async function lookInto(store: SealedStore, media: Media): Promise<Description> {
  const isPicture = media.mime.startsWith("image/") && !media.mime.includes("svg");
  const isPlayed = /^(audio|video)\//.test(media.mime);
  if (media.size > maxLookedInto || !(isPicture || isPlayed)) return nothing;
  const object = await store.get(media.storage_key);
  if (object === null) return nothing;
  const content = Buffer.concat(await Array.fromAsync(object.bytes()));
  try {
    return isPicture ? await pictureIn(store, media, content) : { ...nothing, seconds: await secondsOf(content, media.mime) };
  } catch (error) {
    if (error instanceof StoreFailure) throw error.cause;
    return nothing;
  }
}

/** The store did not take a thumbnail: nothing that the picture is to blame for. */
class StoreFailure extends Error {}

async function pictureIn(store: SealedStore, media: Media, content: Buffer): Promise<Description> {
  const open = () => sharp(content, { limitInputPixels: maxPixels, sequentialRead: true }).timeout({ seconds: timeoutS });
  const { autoOrient } = await open().metadata();
  const scaled = (pixels: number, quality: number) =>
    open()
      .autoOrient()
      .resize(pixels, pixels, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "white" })
      .jpeg({ quality })
      .toBuffer();
  const [thumbnail, preview] = [await scaled(thumbnailPixels, 75), await scaled(previewPixels, 50)];
  const thumbnail_key = `${media.storage_key}.thumbnail`;
  await store.put(thumbnail_key, once(thumbnail)).catch((cause: unknown) => {
    throw new StoreFailure("no thumbnail", { cause });
  });
  return { ...nothing, width: autoOrient.width, height: autoOrient.height, thumbnail_key, preview: preview.toString("base64") };
}

async function secondsOf(content: Buffer, mimeType: string): Promise<number | null> {
  const { format } = await parseBuffer(content, { mimeType }, { duration: true, skipCovers: true });
  return format.duration === undefined ? null : Math.round(format.duration * 100) / 100;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
