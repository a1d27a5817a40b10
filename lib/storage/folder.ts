import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkKey } from "./store.ts";
import type { ObjectStore } from "./store.ts";

/** A store in a folder: one machine, or a file system that all machines share. */
export function createFolderStore(folder: string): ObjectStore {
  const pathOf = (key: string) => join(folder, checkKey(key));

  return {
    put: async (key, bytes) => {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true });
      const part = `${path}.${crypto.randomUUID()}.part`;
      try {
        const file = await open(part, "wx");
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
      return (await file.exists()) ? file : null;
    },
    delete: (key) => rm(pathOf(key), { force: true }),
  };
}
