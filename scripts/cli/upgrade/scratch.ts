import { cp, mkdtemp, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { fitHunks, parsePatch, rebasedPatch } from "./hunks.ts";
import type { Verdict } from "./hunks.ts";

export const baileys = "@whiskeysockets/baileys";

/** Packages whose patches a shard depends on. */
const patched = [baileys, "libsignal"];

/** Names that a copy of the checkout omits: packages, history, and the state and releases of stacks. */
const omitted = new Set(["node_modules", ".git", ".prosaas", "release"]);

type Manifest = {
  dependencies: Record<string, string>;
  patchedDependencies: Record<string, string>;
  [field: string]: unknown;
};

const manifestOf = async (folder: string) => (await Bun.file(join(folder, "package.json")).json()) as Manifest;
const writeManifest = (folder: string, manifest: Manifest) =>
  Bun.write(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);

/** The version of Baileys that a checkout uses. */
export async function versionIn(folder: string): Promise<string> {
  const version = (await manifestOf(folder)).dependencies[baileys];
  if (version === undefined) throw new AppError("not_found", `package.json does not name ${baileys}.`);
  return version;
}

/** Copies the files of a checkout, changes that are not committed too, into a new temporary folder. */
export async function copyCheckout(root: string, into = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(into, "prosaas-upgrade-"));
  try {
    await cp(root, folder, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !omitted.has(relative(root, path)) && !path.endsWith(".log"),
    });
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Names another version in the copy's manifest and takes its patches out, so that the packages install unpatched.
 * Returns the path of each package's patch.
 */
export async function setVersion(folder: string, version: string): Promise<Map<string, string>> {
  const manifest = await manifestOf(folder);
  const files = new Map<string, string>();
  for (const name of patched) {
    const key = `${name}@${manifest.dependencies[name]}`;
    const file = manifest.patchedDependencies[key];
    if (file === undefined) throw new AppError("not_found", `package.json does not name a patch of ${key}.`);
    delete manifest.patchedDependencies[key];
    files.set(name, file);
  }
  manifest.dependencies[baileys] = version;
  await writeManifest(folder, manifest);
  return files;
}

export type PatchVerdict = { package: string; verdicts: Verdict[] };

/** Compares the patches with the unpatched packages, and registers the hunks that apply for the next installation. */
export async function fitPatches(folder: string, files: ReadonlyMap<string, string>): Promise<PatchVerdict[]> {
  const manifest = await manifestOf(folder);
  const results: PatchVerdict[] = [];
  for (const [name, old] of files) {
    const hunks = parsePatch(await Bun.file(join(folder, old)).text());
    const verdicts = fitHunks(hunks, (file) => readIfExists(join(folder, "node_modules", name, file)));
    results.push({ package: name, verdicts });

    const key = `${name}@${manifest.dependencies[name]}`;
    const file = `lib/patches/${key.replace("/", "%2F")}.patch`;
    const text = rebasedPatch(verdicts);
    await rm(join(folder, old));
    await Bun.write(join(folder, file), text);
    if (text !== "") manifest.patchedDependencies[key] = file;
    const importer = join(folder, "lib/patches/applied.ts");
    await Bun.write(importer, (await Bun.file(importer).text()).replace(basename(old), basename(file)));
  }
  await writeManifest(folder, manifest);
  return results;
}

/** Packages that Baileys brings in a version of its own, beside the one that we patch or test. */
export function ownCopies(folder: string): string[] {
  return ["libsignal", "whatsapp-rust-bridge"].flatMap((name) => {
    const manifest = readIfExists(join(folder, "node_modules", baileys, "node_modules", name, "package.json"));
    return manifest === undefined ? [] : [`${name} ${(JSON.parse(manifest) as { version: string }).version}`];
  });
}

function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
