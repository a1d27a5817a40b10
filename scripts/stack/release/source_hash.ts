import { createHash } from "node:crypto";
import { join } from "node:path";

/** Files that decide what a release contains. Tests and their helpers are not shipped. */
const patterns = [
  "services/**/*.{ts,tsx,sql,json,lua,html,css,svg}",
  "lib/**/*.{ts,sql,json,lua,css}",
  "lib/patches/*",
  "scripts/stack/release/*.ts",
  "package.json",
  "bun.lock",
  "tsconfig.json",
];

const isTestFile = (path: string): boolean => /\.test\.tsx?$|(^|\/)testing\//.test(path);

/** SHA-256 over the paths and contents of the sources below `folder`: equal sources give equal releases. */
export async function sourceHash(folder: string): Promise<string> {
  const paths = new Set<string>();
  for (const pattern of patterns) {
    for await (const path of new Bun.Glob(pattern).scan({ cwd: folder })) if (!isTestFile(path)) paths.add(path);
  }
  const hash = createHash("sha256");
  for (const path of [...paths].toSorted()) {
    hash.update(`${path}\0`);
    hash.update(new Uint8Array(await Bun.file(join(folder, path)).arrayBuffer()));
  }
  return hash.digest("hex");
}
