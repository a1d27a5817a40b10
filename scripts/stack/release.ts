import { createHash } from "node:crypto";
import { join } from "node:path";
import { root } from "./environment.ts";

/** SHA-256 over paths and contents of the files that match, in the order of their paths. */
export async function hashOf(patterns: readonly string[], folder = root): Promise<string> {
  const paths = new Set<string>();
  for (const pattern of patterns) {
    for await (const path of new Bun.Glob(pattern).scan({ cwd: folder })) paths.add(path);
  }
  const hash = createHash("sha256");
  for (const path of [...paths].toSorted()) {
    hash.update(`${path}\0`);
    hash.update(new Uint8Array(await Bun.file(join(folder, path)).arrayBuffer()));
  }
  return hash.digest("hex");
}

const notShipped = /\.test\.ts$|(^|\/)testing\//;

/** Names what a service would run if it were started from the checkout now: the same code, the same name. */
export async function releaseOf(service: string, folder = root): Promise<string> {
  const sources: string[] = [];
  for (const pattern of [`services/${service}/**/*.{ts,sql,json,lua}`, "lib/**/*.{ts,sql,json,lua}", "lib/patches/*"]) {
    for await (const path of new Bun.Glob(pattern).scan({ cwd: folder })) {
      if (!notShipped.test(path)) sources.push(path);
    }
  }
  return (await hashOf([...sources, "package.json", "bun.lock"], folder)).slice(0, 12);
}
