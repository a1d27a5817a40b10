import { createHash } from "node:crypto";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parts } from "./parts.ts";
import type { Part } from "./parts.ts";

export type Tarball = { file: string; sha256: string; bytes: number };
export type Release = Record<Part, Tarball>;

/**
 * Makes a release of the checkout `root` in `folder`: prosaas-<part>-<start of its SHA-256>.tar.gz for each part.
 * Unchanged sources give the same bytes and the same name.
 */
export async function makeRelease(root: string, folder: string): Promise<Release> {
  const work = await mkdtemp(join(tmpdir(), "prosaas-release-"));
  try {
    await output(["bun", "run", join(import.meta.dir, "bundle.ts"), work], root);
    const made = parts.map(async (part) => [part, await makeTarball(join(work, part), folder, part)] as const);
    return Object.fromEntries(await Promise.all(made)) as Release;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Packs a folder as the tarball of a part. */
export async function makeTarball(from: string, folder: string, part: Part): Promise<Tarball> {
  const bytes = Bun.gzipSync(await archive(from), { level: 6 });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const file = `prosaas-${part}-${sha256.slice(0, 12)}.tar.gz`;
  // A name of this process's own: two runs may write the same tarball at once.
  const unfinished = join(folder, `.${file}.${process.pid}`);
  await Bun.write(unfinished, bytes, { createPath: true });
  await rename(unfinished, join(folder, file));
  return { file, sha256, bytes: bytes.length };
}

/** Everything that could differ between two runs is fixed: order, times, owners and modes of the files. */
const archive = (folder: string) =>
  output(
    "tar --create --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX .".split(
      " ",
    ),
    folder,
  );

/** The standard output of a program. Throws its standard error if it exits with another code than 0. */
async function output(command: string[], cwd: string): Promise<Uint8Array<ArrayBuffer>> {
  const child = Bun.spawn(command, { cwd, stdout: "pipe", stderr: "pipe" });
  const [bytes, errors, code] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command[0]} exited ${code}: ${errors.trim()}`);
  return bytes;
}

/** The value of a release variable: an address that Nomad fetches, and the checksum that it verifies. */
export const releaseAddress = (base: string, { file, sha256 }: Pick<Tarball, "file" | "sha256">): string =>
  `${base.replace(/\/$/, "")}/${file}?checksum=sha256:${sha256}`;
