import { downloadEncryptedContent, encryptedStream, getMediaKeys } from "@whiskeysockets/baileys";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { decrypted, encrypted, encryptedLength, MediaMismatch, mediaKeys } from "./cipher.ts";
import type { Expected } from "./cipher.ts";

const mib = 1024 * 1024;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
async function* inChunks(content: Uint8Array, size = 65_536) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}
const collected = (bytes: AsyncIterable<Uint8Array>) =>
  Array.fromAsync(bytes, (chunk) => Buffer.from(chunk)).then(Buffer.concat);

const key = randomBytes(32);
const keys = mediaKeys(key, "image");
const expectedOf = (content: Uint8Array, kept: Uint8Array, more: Partial<Expected> = {}): Expected => ({
  keys,
  fileSha256: sha256(content),
  fileEncSha256: sha256(kept),
  maxBytes: 100 * mib,
  ...more,
});

/** Baileys' own downloader, given these bytes by a host. */
let host: ReturnType<typeof Bun.serve>;
let kept: Uint8Array<ArrayBuffer>;
beforeAll(() => {
  host = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(kept) });
});
afterAll(() => host.stop(true));

describe.each([0, 1, 15, 16, 17, mib, 3 * mib + 5])("%i bytes", (size) => {
  const content = randomBytes(size);

  test("are encrypted so that Baileys reads them, and have the length that was foretold", async () => {
    kept = new Uint8Array(await collected(encrypted(inChunks(content), keys)));
    expect(kept.length).toBe(encryptedLength(size));
    const stream = await downloadEncryptedContent(host.url.href, await getMediaKeys(key, "image"));
    expect(Buffer.compare(await collected(stream as AsyncIterable<Uint8Array>), content)).toBe(0);
  });

  test("that Baileys encrypts are read, in pieces of any size", async () => {
    const { mediaKey, fileSha256, fileEncSha256, encFilePath } = await encryptedStream(
      { stream: Readable.from(inChunks(content)) },
      "document",
      {},
    );
    const file = await readFile(encFilePath);
    await rm(encFilePath);
    for (const piece of [7, 1_000, 65_536, 10 * mib].filter((bytes) => size / bytes < 10_000)) {
      const read = decrypted(inChunks(file, piece), {
        keys: mediaKeys(mediaKey, "document"),
        fileSha256,
        fileEncSha256: fileEncSha256,
        maxBytes: size,
      });
      expect(Buffer.compare(await collected(read), content)).toBe(0);
    }
  });
});

test("the same content under the same key is the same file: an upload that is repeated is the one that was begun", async () => {
  const content = randomBytes(100_000);
  expect(await collected(encrypted(inChunks(content, 10), keys))).toEqual(
    await collected(encrypted(inChunks(content, 999), keys)),
  );
});

describe("a file is refused", () => {
  const content = randomBytes(500_000);
  const file = () => collected(encrypted(inChunks(content), keys));
  const refused = async (given: Uint8Array, expected: Expected) =>
    expect(collected(decrypted(inChunks(given), expected))).rejects.toThrow(MediaMismatch);

  test("that is not the one that the message names", async () => {
    const kept = await file();
    await refused(kept, expectedOf(content, randomBytes(10)));
    await refused(kept, expectedOf(randomBytes(10), kept));
    await refused(kept, expectedOf(content, kept, { fileEncSha256: randomBytes(5) }));
  });

  test("that was altered, even where its hash is the one that was named", async () => {
    const kept = await file();
    kept[100_000]! ^= 1;
    await refused(kept, expectedOf(content, kept));
  });

  test("that is cut off, empty, garbage, or for another kind", async () => {
    const kept = await file();
    for (const given of [kept.subarray(0, 400_000), new Uint8Array(), randomBytes(5), randomBytes(500_000)]) {
      await refused(given, expectedOf(content, given));
    }
    await refused(kept, expectedOf(content, kept, { keys: mediaKeys(key, "video") }));
  });

  test("that has more than is taken, before it is read to its end", async () => {
    let given = 0;
    async function* endless() {
      for (;;) {
        given += mib;
        yield randomBytes(mib);
      }
    }
    await expect(collected(decrypted(endless(), expectedOf(content, content, { maxBytes: 5 * mib })))).rejects.toThrow(
      MediaMismatch,
    );
    expect(given).toBeLessThan(8 * mib);
  });
});
