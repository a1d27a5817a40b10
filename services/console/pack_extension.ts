import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { zip } from "./zip.ts";

const folder = join(import.meta.dir, "extension");

/** Packs the browser extension into a ZIP file. */
export async function packExtension(path: string): Promise<void> {
  const names = (await readdir(folder)).toSorted();
  const files = await Promise.all(
    names.map(async (name) => [name, await Bun.file(join(folder, name)).bytes()] as const),
  );
  await Bun.write(path, zip(new Map(files)));
}

if (import.meta.main) {
  const path = process.argv[2];
  if (path === undefined) {
    process.stderr.write("Usage: bun run services/console/pack_extension.ts FILE\n");
    process.exit(2);
  }
  await packExtension(path);
  process.stdout.write(`${path}\n`);
}
