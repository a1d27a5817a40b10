import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { MediaKind } from "./kinds.ts";

/*
 * How WhatsApp encrypts media: AES-256-CBC, then the first 10 bytes of an HMAC-SHA256 over IV and ciphertext. All keys
 * are made from a media key of 32 bytes, which travels within the message; the SHA-256 of the content and of what the
 * host keeps travel with it.
 */

const macBytes = 10;
const blockBytes = 16;
/** Pieces of this size go through the cipher: large enough to cost little, small enough to hold many. */
const pieceBytes = 256 * 1024;

const purposes: Record<MediaKind, string> = {
  image: "WhatsApp Image Keys",
  sticker: "WhatsApp Image Keys",
  video: "WhatsApp Video Keys",
  audio: "WhatsApp Audio Keys",
  document: "WhatsApp Document Keys",
};

export type MediaKeys = { iv: Buffer; cipherKey: Buffer; macKey: Buffer };

export function mediaKeys(mediaKey: Uint8Array, kind: MediaKind): MediaKeys {
  const expanded = Buffer.from(hkdfSync("sha256", mediaKey, new Uint8Array(), purposes[kind], 112));
  return { iv: expanded.subarray(0, 16), cipherKey: expanded.subarray(16, 48), macKey: expanded.subarray(48, 80) };
}

/** Bytes that the host keeps of a content of so many. */
export function encryptedLength(contentBytes: number): number {
  return Math.floor(contentBytes / blockBytes) * blockBytes + blockBytes + macBytes;
}

/** What the host is given of a content: the same bytes at each call with the same keys. */
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

/** What the host gave is not what the message said: no attempt will change that. */
export class MediaMismatch extends Error {}

export type Expected = {
  keys: MediaKeys;
  fileSha256: Uint8Array;
  fileEncSha256: Uint8Array;
  /** More content than this is refused. */
  maxBytes: number;
};

/**
 * The content of what the host keeps. Whether it is what its sender meant is known at its end: what was read before is
 * not to be used until this has ended without throwing.
 * @throws MediaMismatch where a hash or the MAC differs, where it is no ciphertext, or larger than `maxBytes`.
 */
export async function* decrypted(kept: AsyncIterable<Uint8Array>, expected: Expected): AsyncGenerator<Uint8Array> {
  const { iv, cipherKey, macKey } = expected.keys;
  const decipher = createDecipheriv("aes-256-cbc", cipherKey, iv);
  const mac = createHmac("sha256", macKey).update(iv);
  const whole = createHash("sha256");
  const content = createHash("sha256");
  let size = 0;
  const out = (piece: Buffer): Buffer => {
    size += piece.length;
    if (size > expected.maxBytes)
      throw new MediaMismatch(`the file has more than the ${expected.maxBytes} bytes that are taken of its kind`);
    content.update(piece);
    return piece;
  };

  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of kept) {
    whole.update(chunk);
    // The last ten bytes are not ciphertext, and which are the last is known at the end only.
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
  // All three before the padding is looked at: what is not authentic says nothing about the key.
  if (!matches(whole.digest(), expected.fileEncSha256))
    throw new MediaMismatch("the file is not the one that the message names");
  if (!matches(mac.digest().subarray(0, macBytes), tail)) throw new MediaMismatch("the file is not authentic");
  const last = out(finished(decipher));
  if (!matches(content.digest(), expected.fileSha256))
    throw new MediaMismatch("the content is not the one that the message names");
  if (last.length > 0) yield last;
}

function finished(decipher: ReturnType<typeof createDecipheriv>): Buffer {
  try {
    return decipher.final();
  } catch (cause) {
    throw new MediaMismatch("the file is not encrypted as WhatsApp does it", { cause });
  }
}

function matches(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
