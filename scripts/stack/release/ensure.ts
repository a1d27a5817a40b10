import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../environment.ts";
import type { Part } from "./bundle.ts";
import { sourceHash } from "./source_hash.ts";
import { makeTarball, parts, releaseAddress, releaseVariables } from "./tarball.ts";
import type { Tarball } from "./tarball.ts";

/** Tarballs of a part that a stack keeps: a deployment that is reverted fetches the one before. */
const KEPT = 5;

/** The folder that the stack's `releases` agent serves. */
export const releasesFolder = (stateDir: string): string => join(stateDir, "releases");

/**
 * The addresses of this checkout's release on the stack's own server, by the variables of the job files. Builds each
 * part once for the same sources.
 */
export async function ensureRelease(stateDir: string, port: string): Promise<Record<string, string>> {
  const folder = releasesFolder(stateDir);
  const hash = (await sourceHash(root)).slice(0, 32);
  const addresses: Record<string, string> = {};
  for (const part of parts) {
    const record = Bun.file(join(folder, `${part}-${hash}.json`));
    let tarball = (await record.exists()) ? ((await record.json()) as Tarball) : null;
    if (tarball === null || !(await Bun.file(join(folder, tarball.file)).exists())) {
      tarball = await makeTarball(root, folder, part);
      await Bun.write(record, JSON.stringify(tarball));
    }
    const now = new Date();
    await utimes(join(folder, tarball.file), now, now);
    await removeOld(folder, part);
    addresses[releaseVariables[part]] = releaseAddress(`http://127.0.0.1:${port}`, tarball);
  }
  return addresses;
}

async function removeOld(folder: string, part: Part): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(`prosaas-${part}-`));
  const files = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  const old = files.toSorted((a, b) => b.at - a.at).slice(KEPT);
  await Promise.all(old.map(({ name }) => rm(join(folder, name))));
}
