import { parseBuffer } from "music-metadata";
import sharp from "sharp";
import { maxDecodedBytes, pictureFormats } from "./limits.ts";

/** Properties of decoded content; pictures are JPEG in base64. */
export type Decoded = {
  width?: number;
  height?: number;
  /** Playing time. */
  seconds?: number;
  thumbnail?: string;
  preview?: string;
};

/** The console shows thumbnails at this size. */
const thumbnailPixels = 320;
/** WhatsApp blurs the preview until the picture is loaded; more pixels would make messages large. */
const previewPixels = 72;

sharp.concurrency(1);
sharp.cache(false);
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: Object.values(pictureFormats) });

/** Decodes content in this process. Throws if the content is malformed or exceeds `maxDecodedBytes`. */
export async function decode(content: Uint8Array, mime: string): Promise<Decoded> {
  if (mime in pictureFormats) return decodePicture(content);
  const { format } = await parseBuffer(content, { mimeType: mime }, { duration: true, skipCovers: true });
  return format.duration === undefined ? {} : { seconds: Math.round(format.duration * 100) / 100 };
}

async function decodePicture(content: Uint8Array): Promise<Decoded> {
  const open = () => sharp(content, { sequentialRead: true, limitInputPixels: maxDecodedBytes });
  const { autoOrient, width, height, channels, depth } = await open().metadata();
  if (width * height * channels * bytesPerChannel(depth) > maxDecodedBytes)
    throw new RangeError("the picture is too large");
  const scaled = async (pixels: number, quality: number) => {
    const jpeg = await open()
      .autoOrient()
      .resize(pixels, pixels, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "white" })
      .jpeg({ quality })
      .toBuffer();
    return jpeg.toString("base64");
  };
  return {
    width: autoOrient.width,
    height: autoOrient.height,
    thumbnail: await scaled(thumbnailPixels, 75),
    preview: await scaled(previewPixels, 50),
  };
}

const bytesPerChannel = (depth: string) =>
  depth === "uchar" || depth === "char" ? 1 : depth.endsWith("short") ? 2 : 8;
