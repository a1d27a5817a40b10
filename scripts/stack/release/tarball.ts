import { createHash } from "node:crypto";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Part } from "./bundle.ts";

export type Tarball = { file: string; sha256: string };

/**
 * Makes a part of a release of the checkout `root` in `folder`: prosaas-<part>-<start of its SHA-256>.tar.gz.
 * Everything that could differ between two runs is fixed: order, times, owners and modes of the files, and gzip's
 * header.
 */
export async function makeTarball(root: string, folder: string, part: Part): Promise<Tarball> {
  const work = await mkdtemp(join(tmpdir(), "prosaas-release-"));
  try {
    await output(["bun", "run", join(import.meta.dir, "bundle.ts"), work, part], root);
    const bytes = Bun.gzipSync(await archive(work), { level: 6 });
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const file = `prosaas-${part}-${sha256.slice(0, 12)}.tar.gz`;
    await Bun.write(join(folder, `.${file}`), bytes, { createPath: true });
    await rename(join(folder, `.${file}`), join(folder, file));
    return { file, sha256 };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

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

/** The variable of the job files that holds the address of each part. */
export const releaseVariables: Record<Part, string> = { services: "release", console: "console_release" };
export const parts = Object.keys(releaseVariables) as Part[];

/** The value of such a variable: an address that Nomad fetches, and the checksum that it verifies. */
export const releaseAddress = (base: string, { file, sha256 }: Tarball): string =>
  `${base.replace(/\/$/, "")}/${file}?checksum=sha256:${sha256}`;
