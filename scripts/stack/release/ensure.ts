import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../environment.ts";
import { parts, releaseVariable } from "./parts.ts";
import type { Part } from "./parts.ts";
import { sourceHash } from "./source_hash.ts";
import { makeRelease, releaseAddress } from "./tarball.ts";
import type { Release } from "./tarball.ts";

/** Tarballs of a part that a stack keeps: a deployment that is reverted fetches the one before. */
const KEPT = 5;

/** The folder that the stack's `releases` agent serves. */
export const releasesFolder = (stateDir: string): string => join(stateDir, "releases");

/**
 * The addresses of this checkout's release on the server that serves the stack's folder at `url`, by the variables of
 * the job files. Builds it once for the same sources.
 */
export async function ensureRelease(stateDir: string, url: string): Promise<Record<string, string>> {
  const folder = releasesFolder(stateDir);
  const record = Bun.file(join(folder, `release-${(await sourceHash(root)).slice(0, 32)}.json`));
  let release = (await record.exists()) ? ((await record.json()) as Release) : null;
  if (release === null || !(await isComplete(folder, release))) {
    release = await makeRelease(root, folder);
    await Bun.write(record, JSON.stringify(release));
  }
  const now = new Date();
  for (const { file } of Object.values(release)) await utimes(join(folder, file), now, now);
  await removeOld(folder);
  return Object.fromEntries(parts.map((part) => [releaseVariable(part), releaseAddress(url, release[part])]));
}

const isComplete = async (folder: string, release: Release): Promise<boolean> =>
  (await Promise.all(parts.map((part) => Bun.file(join(folder, release[part].file)).exists()))).every(Boolean);

/** Removes old tarballs, those of parts that no longer exist, and what a killed run left unfinished. */
async function removeOld(folder: string): Promise<void> {
  const names = await readdir(folder);
  const partOf = (name: string) => /^\.?prosaas-(.+)-[0-9a-f]+\.tar\.gz/.exec(name)?.[1];
  const hourAgo = Date.now() - 3_600_000;
  for (const name of names) {
    const part = partOf(name);
    if (part === undefined || (parts.includes(part as Part) && !name.startsWith("."))) continue;
    if ((await stat(join(folder, name))).mtimeMs < hourAgo) await rm(join(folder, name), { force: true });
  }
  for (const part of parts) {
    const own = names.filter((name) => !name.startsWith(".") && partOf(name) === part);
    const files = await Promise.all(own.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
    const old = files.toSorted((a, b) => b.at - a.at).slice(KEPT);
    await Promise.all(old.map(({ name }) => rm(join(folder, name))));
  }
}
