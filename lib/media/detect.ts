import { fileTypeFromBuffer } from "file-type";

/** What is looked at of a file to tell what it is. */
export const sampleBytes = 4_100;

/** What browsers and phones call the same thing. */
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
 * What a file is, by its first bytes and never by its name. Text bears no mark: what is valid UTF-8 is "text/plain",
 * or the kind of text that it is said to be. What cannot be told is "application/octet-stream".
 */
export async function detectMime(sample: Uint8Array, declared?: string): Promise<string> {
  const found = await fileTypeFromBuffer(sample);
  if (found) return canonicalMime(found.mime);
  if (!isText(sample)) return "application/octet-stream";
  const said = /^text\/[a-z0-9.+-]+/.exec(declared?.toLowerCase() ?? "")?.[0];
  return said ?? "text/plain";
}

/** Kinds of which the content bears a mark: a file that is said to be one of them and is not is refused. */
const marked = /^(image\/(?!svg)|video\/|audio\/|application\/(pdf|zip)$)/;

/** Whether a file can be what it is said to be. */
export function contradicts(declared: string, detected: string): boolean {
  const said = canonicalMime(declared.split(";")[0]!.trim());
  return marked.test(said) && said !== detected;
}

function isText(sample: Uint8Array): boolean {
  if (sample.length === 0 || sample.includes(0)) return false;
  try {
    // A character that the sample cuts through is no fault of the text.
    new TextDecoder("utf-8", { fatal: true }).decode(sample, { stream: true });
    return true;
  } catch {
    return false;
  }
}
