import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startS3Server } from "../testing/s3_server.ts";
import { until } from "../testing/until.ts";
import { createBucketStore } from "./bucket.ts";
import { createFolderStore } from "./folder.ts";

const folder = await mkdtemp(join(tmpdir(), "prosaas-store-"));
const credentials = { bucket: "media", accessKeyId: "who", secretAccessKey: "secret" };
const s3 = startS3Server(credentials);
afterAll(async () => {
  await s3.stop();
  await rm(folder, { recursive: true });
});

async function* bytes(...chunks: (string | Uint8Array)[]) {
  for (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
}

const stores = {
  "a folder": createFolderStore(folder),
  "a bucket": createBucketStore({ ...credentials, endpoint: s3.endpoint }),
};

describe.each(Object.entries(stores))("in %s", (_, store) => {
  const textOf = async (key: string) => {
    const object = await store.get(key);
    return object && Buffer.from(await object.read(0, object.size)).toString();
  };

  test("puts, gets, replaces and deletes an object", async () => {
    await store.put("recordings/one.wav", bytes("RI", "FF"));
    expect(await textOf("recordings/one.wav")).toBe("RIFF");
    await store.put("recordings/one.wav", bytes("new"));
    expect(await textOf("recordings/one.wav")).toBe("new");
    await store.delete("recordings/one.wav");
    await store.delete("recordings/one.wav");
    expect(await store.get("recordings/one.wav")).toBeNull();
  });

  test("reads an object of many parts and its ranges", async () => {
    const pieces = Array.from({ length: 30 }, () => randomBytes(500_000));
    await store.put("large", bytes(...pieces));
    const object = (await store.get("large"))!;
    expect(object.size).toBe(15_000_000);
    expect(Buffer.compare(await object.read(0, object.size), Buffer.concat(pieces))).toBe(0);
    expect(
      Buffer.compare(await object.read(7_000_001, 7_000_101), Buffer.concat(pieces).subarray(7_000_001, 7_000_101)),
    ).toBe(0);
  });

  test.each([10, 12_000_000])("stores nothing if the source fails after %i bytes", async (size) => {
    async function* broken() {
      for (let sent = 0; sent < size; sent += 1_000_000) yield new Uint8Array(Math.min(1_000_000, size));
      throw new Error("the line went dead");
    }
    await expect(store.put("broken/half", broken())).rejects.toThrow("dead");
    expect(await store.get("broken/half")).toBeNull();
  });

  test("lists the objects of a prefix, page by page", async () => {
    const keys = Array.from({ length: 120 }, (_, n) => `list/shards/${n}`);
    await Promise.all([...keys, "list/shards-2", "listed"].map((key) => store.put(key, bytes("x", key))));
    const listed = await Array.fromAsync(store.list("list/shards/"));
    expect(listed.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    expect(listed.find(({ key }) => key === "list/shards/7")?.size).toBe(14);
    expect(await Array.fromAsync(store.list("list/none/"))).toEqual([]);
    expect((await Array.fromAsync(store.list("list"))).length).toBe(122);
  });

  test("stores an empty object", async () => {
    await store.put("empty", bytes());
    expect((await store.get("empty"))?.size).toBe(0);
  });

  test.each([
    "../out",
    "/etc/passwd",
    "a/../b",
    "a//b",
    "a/",
    "",
    ".",
    ".unfinished/x",
    "a b",
    "ü",
    "a\u0000b",
    "x".repeat(600),
  ])("refuses the key %j", async (key) => {
    await expect((async () => store.put(key, bytes("x")))()).rejects.toThrow("not a key");
  });
});

describe("createFolderStore", () => {
  test("removes the part of a failed write", () => {
    expect(readdirSync(join(folder, ".unfinished"))).toEqual([]);
  });

  test("removes abandoned parts after a day", async () => {
    const parts = join(folder, ".unfinished");
    for (const name of ["old", "new"]) await writeFile(join(parts, name), "half");
    await utimes(join(parts, "old"), 0, Date.now() / 1000 - 25 * 3600);
    await createFolderStore(folder).put("after", bytes("x"));
    expect([existsSync(join(parts, "old")), existsSync(join(parts, "new"))]).toEqual([false, true]);
  });
});

describe("createBucketStore", () => {
  test("aborts a failed multipart upload", async () => {
    await until(
      () => {
        Bun.gc(true);
        return s3.uploads.size === 0;
      },
      { what: "the abort" },
    );
  });

  test("throws if credentials are wrong or S3 is unavailable", async () => {
    const stranger = createBucketStore({ ...credentials, endpoint: s3.endpoint, secretAccessKey: "guessed" });
    await expect(stranger.get("large")).rejects.toThrow();
    await expect(stranger.put("mine", bytes("x"))).rejects.toThrow();
    expect(s3.objects.has("mine")).toBeFalse();
    s3.refuse = () => new Response("unavailable", { status: 503 });
    await expect(stores["a bucket"].get("large")).rejects.toThrow();
    s3.refuse = () => undefined;
  });
});
