import { rename, rm, writeFile } from "node:fs/promises";
import { messageOf } from "../../lib/core/errors.ts";

/** Writes a file of the stack's state: completely or not at all, readable by root only. A failure names the path. */
export async function writeStateFile(path: string, content: string): Promise<void> {
  const next = `${path}.new`;
  try {
    await writeFile(next, content, { mode: 0o600 });
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true }).catch(() => {});
    throw new Error(`${path} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
