import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFolderStore } from "./folder.ts";

const folder = await mkdtemp(join(tmpdir(), "prosaas-store-"));
afterAll(() => rm(folder, { recursive: true }));
const store = createFolderStore(folder);

async function* bytes(...chunks: string[]) {
  for (const chunk of chunks) yield new TextEncoder().encode(chunk);
}

test("what is put is got, replaced and gone when deleted", async () => {
  await store.put("recordings/one.wav", bytes("RI", "FF"), "audio/x-wav");
  expect(await (await store.get("recordings/one.wav"))?.text()).toBe("RIFF");
  await store.put("recordings/one.wav", bytes("new"), "audio/x-wav");
  expect(await (await store.get("recordings/one.wav"))?.text()).toBe("new");
  await store.delete("recordings/one.wav");
  await store.delete("recordings/one.wav");
  expect(await store.get("recordings/one.wav")).toBeNull();
});

test("a source that breaks leaves nothing, not even a part", async () => {
  async function* broken() {
    yield new Uint8Array(8);
    throw new Error("the line went dead");
  }
  await expect(store.put("broken/half.wav", broken(), "audio/x-wav")).rejects.toThrow("dead");
  expect(await readdir(join(folder, "broken"))).toEqual([]);
});

test.each(["../out", "/etc/passwd", "a/../b", "a//b", "a/", "", ".", "a b", "ü", "a\u0000b", "x".repeat(600)])(
  "%j is no key",
  async (key) => {
    await expect((async () => store.put(key, bytes("x"), "text/plain"))()).rejects.toThrow("not a key");
  },
);
