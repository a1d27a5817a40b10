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
const expectedOf = (content: Uint8Array, file: Uint8Array, more: Partial<Expected> = {}): Expected => ({
  keys,
  fileSha256: sha256(content),
  fileEncSha256: sha256(file),
  maxBytes: 100 * mib,
  ...more,
});

/** Serves `stored` to Baileys' own downloader. */
let host: ReturnType<typeof Bun.serve>;
let stored: Uint8Array<ArrayBuffer>;
beforeAll(() => {
  host = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(stored) });
});
afterAll(() => host.stop(true));

describe.each([0, 1, 15, 16, 17, mib, 3 * mib + 5])("%i bytes", (size) => {
  const content = randomBytes(size);

  test("encrypted here are decrypted by Baileys", async () => {
    stored = new Uint8Array(await collected(encrypted(inChunks(content), keys)));
    expect(stored.length).toBe(encryptedLength(size));
    const stream = await downloadEncryptedContent(host.url.href, await getMediaKeys(key, "image"));
    expect(Buffer.compare(await collected(stream as AsyncIterable<Uint8Array>), content)).toBe(0);
  });

  test("encrypted by Baileys are decrypted in any chunks", async () => {
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

test("encryption is deterministic for a repeated upload", async () => {
  const content = randomBytes(100_000);
  expect(await collected(encrypted(inChunks(content, 10), keys))).toEqual(
    await collected(encrypted(inChunks(content, 999), keys)),
  );
});

describe("decrypted refuses a file", () => {
  const content = randomBytes(500_000);
  const file = () => collected(encrypted(inChunks(content), keys));
  const refused = async (given: Uint8Array, expected: Expected) =>
    expect(collected(decrypted(inChunks(given), expected))).rejects.toThrow(MediaMismatch);

  test("whose hashes differ from the message's", async () => {
    const given = await file();
    await refused(given, expectedOf(content, randomBytes(10)));
    await refused(given, expectedOf(randomBytes(10), given));
    await refused(given, expectedOf(content, given, { fileEncSha256: randomBytes(5) }));
  });

  test("whose MAC differs although its hash matches", async () => {
    const given = await file();
    given[100_000]! ^= 1;
    await refused(given, expectedOf(content, given));
  });

  test("that is truncated, empty, garbage, or of another kind", async () => {
    const whole = await file();
    for (const given of [whole.subarray(0, 400_000), new Uint8Array(), randomBytes(5), randomBytes(500_000)]) {
      await refused(given, expectedOf(content, given));
    }
    await refused(whole, expectedOf(content, whole, { keys: mediaKeys(key, "video") }));
  });

  test("above the size limit before reading its end", async () => {
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
