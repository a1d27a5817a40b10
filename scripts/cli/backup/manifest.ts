import { createHash } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";

const file = z.object({
  key: z.string(),
  bytes: z.int(),
  /** Of the file as it is stored. */
  sha256: z.string(),
});

const objects = z.object({ count: z.int(), bytes: z.int() });

/** The parts of a backup. It is written last: a backup without one was interrupted, and counts as none. */
export const manifestSchema = z.object({
  format: z.literal(1),
  id: z.string(),
  started_at: z.iso.datetime(),
  /** The moment that is restored. */
  consistent_at: z.iso.datetime(),
  finished_at: z.iso.datetime(),
  /** Null where Postgres is managed: its provider restores it to `consistent_at`. */
  postgres: z
    .object({
      /** The base backup in pgBackRest's repository. */
      label: z.string(),
      type: z.enum(["full", "diff", "incr"]),
      version: z.string(),
      system_id: z.string(),
      database_bytes: z.int(),
      repository_bytes: z.int(),
      /** Name of the restore point in the log, and the segment that holds it. */
      restore_point: z.string(),
      wal: z.string(),
    })
    .nullable(),
  nomad: file,
  consul: file,
  /** The shards whose logins the backup holds, with the objects of their snapshots. */
  shards: z.array(z.object({ shard: z.int(), epoch: z.int(), snapshot_key: z.string(), exact: z.boolean() })),
  /** Objects of the storages, which backups share, and the list of those that belong to this one. */
  objects: z.object({ list: file, media: objects, shards: objects }),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type StoredFile = z.infer<typeof file>;

const folder = "sets/";
const name = "manifest.json";

/** "20261130T180000Z": ids sort by time. */
export const newId = (now: Date): string => now.toISOString().replaceAll(/[-:]|\.\d+/g, "");

export const keyInSet = (id: string, file: string): string => `${folder}${id}/${file}`;

const sha256Of = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export async function putFile(store: ListableStore, key: string, content: Uint8Array): Promise<StoredFile> {
  await store.put(key, once(content));
  return { key, bytes: content.length, sha256: sha256Of(content) };
}

/** @throws AppError if the file is missing or was altered. */
export async function getFile(store: ListableStore, { key, sha256 }: StoredFile): Promise<Uint8Array> {
  const object = await store.get(key);
  if (object === null) throw new AppError("not_found", `${key} is missing in the backups.`);
  const content = await object.read(0, object.size);
  if (sha256Of(content) !== sha256) throw new AppError("conflict", `${key} does not have the checksum of its backup.`);
  return content;
}

export async function putManifest(store: ListableStore, manifest: Manifest): Promise<void> {
  await putFile(store, keyInSet(manifest.id, name), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
}

/** Every finished backup, the oldest first. */
export async function listBackups(store: ListableStore): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for await (const { key } of store.list(folder)) {
    if (!key.endsWith(`/${name}`)) continue;
    const object = await store.get(key);
    if (object === null) continue;
    const text = Buffer.from(await object.read(0, object.size)).toString("utf8");
    manifests.push(manifestSchema.parse(JSON.parse(text)));
  }
  return manifests.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The backup with an id; the newest one without. @throws AppError if there is none. */
export async function findBackup(store: ListableStore, id?: string): Promise<Manifest> {
  const all = await listBackups(store);
  const found = id === undefined ? all.at(-1) : all.find((one) => one.id === id);
  if (found === undefined) {
    const known = all.length === 0 ? "There is none" : `There are ${all.map((one) => one.id).join(", ")}`;
    throw new AppError("not_found", `${id === undefined ? "No backup was found" : `No backup is ${id}`}. ${known}.`);
  }
  return found;
}
