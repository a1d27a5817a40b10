import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { decrypted, download, encrypted, encryptedLength, mediaKeys } from "../../../lib/media/index.ts";
import { createFolderStore, createSealedStore } from "../../../lib/storage/index.ts";
import { upload } from "./media_host.ts";

/*
 * Moves a large document into the store, from there to the media host, and back, in a process of its own. Prints the
 * MB by which the process grew at most, and whether every byte came back. Arguments: the host's address, the MB.
 */
const [host = "", megabytes = "64"] = process.argv.slice(2);
const size = Number(megabytes) * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "prosaas-large-"));
const store = createSealedStore(createFolderStore(folder), KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));
const signal = new AbortController().signal;
const rssMb = () => process.memoryUsage.rss() / 1024 / 1024;

async function* content(hash: ReturnType<typeof createHash>) {
  for (let at = 0; at < size; at += 65_536) {
    const chunk = randomBytes(Math.min(65_536, size - at));
    hash.update(chunk);
    yield chunk;
  }
}
const hashOf = async (bytes: AsyncIterable<Uint8Array>) => {
  const hash = createHash("sha256");
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest();
};

// Warm up first: one-time allocations are no growth.
const once = async function* () {
  yield new Uint8Array(100_000);
};
await store.put("warm", once());
await hashOf((await store.get("warm"))!.bytes());
Bun.gc(true);
const before = rssMb();
let most = 0;
const watch = setInterval(() => (most = Math.max(most, rssMb())), 10);

const original = createHash("sha256");
await store.put("large", content(original));
const fileSha256 = original.digest();
const object = (await store.get("large"))!;
const keys = mediaKeys(randomBytes(32), "document");
const fileEncSha256 = await hashOf(encrypted(object.bytes(), keys));
const path = await upload({
  host,
  auth: "simulator",
  kind: "document",
  fileEncSha256,
  length: encryptedLength(size),
  bytes: encrypted(object.bytes(), keys),
  signal,
});
await store.put(
  "back",
  decrypted(download(host, path, { signal }), { keys, fileSha256, fileEncSha256, maxBytes: size }),
);
const same = (await hashOf((await store.get("back"))!.bytes())).equals(fileSha256);
clearInterval(watch);
process.stdout.write(`${JSON.stringify({ same, grew_mb: Math.round(most - before) })}\n`);
rmSync(folder, { recursive: true });
