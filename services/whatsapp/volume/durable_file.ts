import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Replaces a file atomically. The content and its name are on the disk when this returns. */
export function replaceFile(path: string, content: string): void {
  const unfinished = `${path}.new`;
  writeFileSync(unfinished, content, { flush: true });
  renameSync(unfinished, path);
  syncToDisk(dirname(path));
}

/** Flushes a file's content, or a folder's names: a power cut may undo a rename until its folder is flushed. */
export function syncToDisk(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
