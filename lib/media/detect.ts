import { fileTypeFromBuffer } from "file-type";

/** Bytes of a file's start that {@link detectMime} needs; the default sample size of file-type. */
export const sampleBytes = 4_100;

/** Aliases that browsers and phones use. */
const canonical: Record<string, string> = {
  "audio/ogg; codecs=opus": "audio/ogg",
  "audio/opus": "audio/ogg",
  "application/ogg": "audio/ogg",
  "audio/x-m4a": "audio/mp4",
  "audio/m4a": "audio/mp4",
  "video/x-m4v": "video/mp4",
  "audio/mp3": "audio/mpeg",
  "image/jpg": "image/jpeg",
};

export const canonicalMime = (mime: string): string => canonical[mime.toLowerCase()] ?? mime.toLowerCase();

/**
 * Detects the media type of a file from its first bytes, never from its name. Text has no magic number: valid UTF-8 is
 * "text/plain", or the declared text type. An unknown type is "application/octet-stream".
 */
export async function detectMime(sample: Uint8Array, declared?: string): Promise<string> {
  const found = await fileTypeFromBuffer(sample);
  if (found) return canonicalMime(found.mime);
  if (!isText(sample)) return "application/octet-stream";
  const declaredText = /^text\/[a-z0-9.+-]+/.exec(declared?.toLowerCase() ?? "")?.[0];
  return declaredText ?? "text/plain";
}

/** Media types whose files start with a magic number, so that a wrong declaration can be detected. */
const withMagicNumber = /^(image\/(?!svg)|video\/|audio\/|application\/(pdf|zip)$)/;

/** True if the detected media type contradicts the declared one. */
export function contradicts(declared: string, detected: string): boolean {
  const mime = canonicalMime(declared.split(";")[0]!.trim());
  return withMagicNumber.test(mime) && mime !== detected;
}

function isText(sample: Uint8Array): boolean {
  if (sample.length === 0 || sample.includes(0)) return false;
  try {
    // Streaming, so that a character cut at the end of the sample is not an error.
    new TextDecoder("utf-8", { fatal: true }).decode(sample, { stream: true });
    return true;
  } catch {
    return false;
  }
}
