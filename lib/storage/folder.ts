import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkKey } from "./store.ts";
import type { ListableStore, ListedObject } from "./store.ts";

/** Folder of unfinished writes; beside the keys, so that it is on the same file system and `rename` is atomic. */
const unfinished = ".unfinished";
/** Age after which an unfinished write is abandoned: no write takes so long, so its process has died. */
const abandonedMs = 24 * 3_600_000;

/** A store in a folder, of one machine or of a file system that all machines share. */
export function createFolderStore(folder: string): ListableStore {
  const pathOf = (key: string) => join(folder, checkKey(key));
  const parts = join(folder, unfinished);
  const prepared = mkdir(parts, { recursive: true }).then(() => removeAbandoned(parts));

  return {
    put: async (key, bytes) => {
      const path = pathOf(key);
      await prepared;
      await mkdir(dirname(path), { recursive: true });
      const part = join(parts, crypto.randomUUID());
      try {
        const file = await open(part, "wx", 0o600);
        try {
          for await (const chunk of bytes) await file.writeFile(chunk);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(part, path);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
    get: async (key) => {
      const file = Bun.file(pathOf(key));
      if (!(await file.exists())) return null;
      return { size: file.size, read: (start, end) => file.slice(start, end).bytes() };
    },
    delete: (key) => rm(pathOf(key), { force: true }),
    list: (prefix = "") => listFolder(folder, prefix),
  };
}

async function* listFolder(folder: string, prefix: string): AsyncGenerator<ListedObject> {
  // The folder of the last whole part of the prefix holds all that matches.
  const start = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  const files = new Bun.Glob("**/*").scan({ cwd: join(folder, start), onlyFiles: true });
  try {
    for await (const name of files) {
      const key = `${start}${name}`;
      // Globs leave out names that begin with a dot, as unfinished writes do.
      if (key.startsWith(prefix)) yield { key, size: Bun.file(join(folder, key)).size };
    }
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
}

/** Removes the parts of processes that were killed while they wrote. */
async function removeAbandoned(parts: string): Promise<void> {
  for (const name of await readdir(parts)) {
    const path = join(parts, name);
    const written = await stat(path).catch(() => undefined);
    if (written && Date.now() - written.mtimeMs > abandonedMs) await rm(path, { force: true });
  }
}
