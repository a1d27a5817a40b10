import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFolderStore } from "../../../lib/storage/index.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";
import { putFile, putManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { backUpObjects, missingObjects, packList, restoreObjects } from "./objects.ts";
import { prune } from "./prune.ts";

let folder: string;
let storage: ListableStore;
let backups: ListableStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-objects-"));
  storage = createFolderStore(join(folder, "storage"));
  backups = createFolderStore(join(folder, "backups"));
});
afterEach(() => rm(folder, { recursive: true }));

const put = (key: string, content = key) => putFile(storage, key, Buffer.from(content));
const keysOf = async (store: ListableStore, prefix = "") =>
  (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).toSorted();

describe("objects", () => {
  test("are copied once, and restored", async () => {
    await put("a/1");
    expect((await backUpObjects("media", storage, backups)).map(({ key }) => key)).toEqual(["a/1"]);
    await put("a/2");
    let copied = 0;
    const listed = await backUpObjects("media", storage, backups, ({ objects }) => (copied = objects));
    expect([copied, listed.length]).toEqual([1, 2]);
    const other = createFolderStore(join(folder, "other"));
    await restoreObjects("media", listed, backups, other);
    expect(await keysOf(other)).toEqual(["a/1", "a/2"]);
  });

  test("that the backups lack fail a restore", async () => {
    await put("a/1");
    const listed = await backUpObjects("media", storage, backups);
    await backups.delete("objects/media/a/1");
    expect(await missingObjects({ media: listed, shards: [] }, backups)).toEqual(["media/a/1"]);
    await expect(restoreObjects("media", listed, backups, createFolderStore(join(folder, "x")))).rejects.toThrow("a/1");
  });

  test("stay while a backup lists them", async () => {
    const finish = async (id: string) => {
      const media = await backUpObjects("media", storage, backups);
      const list = await putFile(backups, `sets/${id}/objects.json.gz`, packList({ media, shards: [] }));
      const file = { key: "x", bytes: 0, sha256: "" };
      const at = new Date(Date.UTC(2026, 10, Number(id))).toISOString();
      const counts = { count: media.length, bytes: 0 };
      await putManifest(backups, {
        format: 1,
        id,
        started_at: at,
        consistent_at: at,
        finished_at: at,
        postgres: null,
        nomad: file,
        consul: file,
        shards: [],
        objects: { list, media: counts, shards: counts },
      } satisfies Manifest);
    };
    await put("old");
    await finish("01");
    await storage.delete("old");
    await put("new");
    for (const id of ["20", "21"]) await finish(id);
    const destination = { url: "", store: backups, recipients: [], keepDays: 14 };
    expect(await prune(destination, new Date(Date.UTC(2026, 10, 10)))).toEqual({ backups: [], objects: 0 });
    expect(await prune(destination, new Date(Date.UTC(2026, 10, 22)))).toEqual({ backups: ["01"], objects: 1 });
    expect(await keysOf(backups, "objects/")).toEqual(["objects/media/new"]);
    expect(await keysOf(backups, "sets/01/")).toEqual([]);
  });
});
