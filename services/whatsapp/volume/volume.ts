import { Database, SQLiteError } from "bun:sqlite";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import { replaceFile } from "./durable_file.ts";

/** The volume cannot be served by this process; the message is for the operator. */
export class VolumeRefused extends Error {
  override name = "VolumeRefused";
}

/** A volume that belongs to this shard and is locked by this process. */
export type Volume = {
  readonly path: string;
  readonly shard: number;
  /** Path of a file or folder on it. */
  file(...parts: string[]): string;
  /** Releases the lock. The death of the process does the same. */
  release(): void;
};

/** Keeps the locks reachable: a garbage-collected database would be closed and its lock released. */
const held = new Set<Database>();

const label = z.object({ format: z.literal(1), shard: z.int().min(1), created_at: z.string() });

/**
 * Claims the volume for a shard: locks it, and writes the shard's number to a new one.
 *
 * The lock is SQLite's exclusive lock on a file of its own. It is a POSIX record lock: the kernel releases it when the
 * process ends, however it ends, so no stale lock needs a cleanup or a wait, and no native code of ours is needed. It
 * excludes other processes of the same node; across nodes, the Consul lock decides.
 *
 * @throws VolumeRefused if the volume is missing, another shard's, unreadable, or in use.
 */
export function claimVolume(path: string, shard: number): Volume {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw new VolumeRefused(`AUTH_DIR ${path} does not exist or is not a folder: mount the shard's volume there.`);
  }
  // Checked before anything is written, so that another shard's volume stays untouched.
  const owner = labelled(path);
  if (owner !== undefined) refuseForeign(path, owner, shard);
  const lock = lockVolume(path);
  try {
    const claimed = labelled(path);
    if (claimed === undefined) labelNew(path, shard);
    else refuseForeign(path, claimed, shard);
  } catch (error) {
    lock.close();
    throw error;
  }
  held.add(lock);
  return {
    path,
    shard,
    file: (...parts) => join(path, ...parts),
    release: () => {
      lock.close();
      held.delete(lock);
    },
  };
}

const labelPath = (path: string) => join(path, "shard.json");

function labelled(path: string): number | undefined {
  if (!existsSync(labelPath(path))) return undefined;
  try {
    return label.parse(JSON.parse(readFileSync(labelPath(path), "utf8"))).shard;
  } catch (error) {
    throw new VolumeRefused(`${labelPath(path)} cannot be read, so its shard is unknown: ${messageOf(error)}`);
  }
}

function refuseForeign(path: string, owner: number, shard: number): void {
  if (owner !== shard) {
    throw new VolumeRefused(
      `The volume at ${path} belongs to shard ${owner}, and this process is shard ${shard}: mount the right volume.`,
    );
  }
}

function labelNew(path: string, shard: number): void {
  const used = readdirSync(path).filter((name) => name === "sessions" || name === "shard.db");
  if (used.length > 0) {
    throw new VolumeRefused(
      `The volume at ${path} holds ${used.join(" and ")} but no shard.json: its shard is unknown.`,
    );
  }
  const content = { format: 1, shard, created_at: new Date().toISOString() };
  replaceFile(labelPath(path), `${JSON.stringify(content)}\n`);
}

function lockVolume(path: string): Database {
  const db = new Database(join(path, "lock.db"), { readwrite: true, create: true });
  try {
    db.run("PRAGMA busy_timeout = 0");
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("BEGIN EXCLUSIVE");
    return db;
  } catch (error) {
    db.close();
    if (error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY")) {
      throw new VolumeRefused(`The volume at ${path} is in use by another process of this node: stop that one first.`);
    }
    throw new VolumeRefused(`The volume at ${path} cannot be locked: ${messageOf(error)}`);
  }
}
