import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { MediaKind } from "./kinds.ts";

/*
 * WhatsApp's media encryption: AES-256-CBC, then the first 10 bytes of an HMAC-SHA256 over IV and ciphertext. All keys
 * are derived from a media key of 32 bytes. The message carries the media key, the SHA-256 of the content, and the
 * SHA-256 of the encrypted file that the media host stores.
 */

const macBytes = 10;
const blockBytes = 16;
/** Bytes that one cipher call decrypts: large enough to cost little, small enough for many files at once. */
const pieceBytes = 256 * 1024;

/** A history is the phone's chats of the past, which it shares after a link. */
const purposes: Record<MediaKind | "history", string> = {
  image: "WhatsApp Image Keys",
  sticker: "WhatsApp Image Keys",
  video: "WhatsApp Video Keys",
  audio: "WhatsApp Audio Keys",
  document: "WhatsApp Document Keys",
  history: "WhatsApp History Keys",
};

export type MediaKeys = { iv: Buffer; cipherKey: Buffer; macKey: Buffer };

export function mediaKeys(mediaKey: Uint8Array, kind: MediaKind | "history"): MediaKeys {
  const expanded = Buffer.from(hkdfSync("sha256", mediaKey, new Uint8Array(), purposes[kind], 112));
  return { iv: expanded.subarray(0, 16), cipherKey: expanded.subarray(16, 48), macKey: expanded.subarray(48, 80) };
}

/** Returns the length of the encrypted file of a content. */
export function encryptedLength(contentBytes: number): number {
  return Math.floor(contentBytes / blockBytes) * blockBytes + blockBytes + macBytes;
}

/** Encrypts a content for the media host. Deterministic: the same content and keys give the same bytes. */
export async function* encrypted(
  content: AsyncIterable<Uint8Array>,
  { iv, cipherKey, macKey }: MediaKeys,
): AsyncGenerator<Uint8Array> {
  const cipher = createCipheriv("aes-256-cbc", cipherKey, iv);
  const mac = createHmac("sha256", macKey).update(iv);
  for await (const chunk of content) {
    const piece = cipher.update(chunk);
    mac.update(piece);
    if (piece.length > 0) yield piece;
  }
  const last = cipher.final();
  yield Buffer.concat([last, mac.update(last).digest().subarray(0, macBytes)]);
}

/** The host's file does not match the message. Not retryable. */
export class MediaMismatch extends Error {}

export type Expected = {
  keys: MediaKeys;
  fileSha256: Uint8Array;
  fileEncSha256: Uint8Array;
  /** Limit for the content. */
  maxBytes: number;
};

/**
 * Decrypts a file of the media host. Authentication completes at the end of the file: do not use the content before the
 * generator has ended without throwing.
 * @throws MediaMismatch if a hash or the MAC differs, the padding is invalid, or the content exceeds `maxBytes`.
 */
export async function* decrypted(file: AsyncIterable<Uint8Array>, expected: Expected): AsyncGenerator<Uint8Array> {
  const { iv, cipherKey, macKey } = expected.keys;
  const decipher = createDecipheriv("aes-256-cbc", cipherKey, iv);
  const mac = createHmac("sha256", macKey).update(iv);
  const whole = createHash("sha256");
  const content = createHash("sha256");
  let size = 0;
  const out = (piece: Buffer): Buffer => {
    size += piece.length;
    if (size > expected.maxBytes)
      throw new MediaMismatch(`the file exceeds the limit of ${expected.maxBytes} bytes for its kind`);
    content.update(piece);
    return piece;
  };

  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of file) {
    whole.update(chunk);
    // Holds the last ten bytes back: they are the MAC, and only the end of the file shows which they are.
    const held = Buffer.concat([tail, chunk]);
    const ciphertext = held.subarray(0, Math.max(0, held.length - macBytes));
    tail = held.subarray(ciphertext.length);
    for (let at = 0; at < ciphertext.length; at += pieceBytes) {
      const piece = ciphertext.subarray(at, at + pieceBytes);
      mac.update(piece);
      const plain = out(decipher.update(piece));
      if (plain.length > 0) yield plain;
    }
  }
  // Hash and MAC before the padding, so that no error reveals the padding of a forged file (padding oracle).
  if (!matches(whole.digest(), expected.fileEncSha256))
    throw new MediaMismatch("the file's SHA-256 differs from the message's");
  if (!matches(mac.digest().subarray(0, macBytes), tail)) throw new MediaMismatch("the file's MAC is wrong");
  const last = out(finished(decipher));
  if (!matches(content.digest(), expected.fileSha256))
    throw new MediaMismatch("the content's SHA-256 differs from the message's");
  if (last.length > 0) yield last;
}

function finished(decipher: ReturnType<typeof createDecipheriv>): Buffer {
  try {
    return decipher.final();
  } catch (cause) {
    throw new MediaMismatch("the file's padding is invalid", { cause });
  }
}

function matches(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
