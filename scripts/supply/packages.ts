import { join } from "node:path";
import { closureOf, folderOf, readLock } from "./lockfile.ts";
import type { Lock, Locked } from "./lockfile.ts";

/** An installed package. */
export type Package = Locked & {
  /** As its package.json names it: an SPDX identifier or expression; null if it names none. */
  licence: string | null;
  /** True if a release may contain it: a dependency, not a tool. */
  isShipped: boolean;
};

/** The packages of bun.lock that are installed: it also lists builds for other platforms. */
export async function readPackages(root: string, lock?: Lock): Promise<Package[]> {
  const from = lock ?? (await readLock(root));
  const shipped = closureOf(from, from.dependencies);
  const read = [...from.packages.values()].map(async (locked): Promise<Package | null> => {
    const file = Bun.file(join(root, folderOf(locked.key), "package.json"));
    if (!(await file.exists())) return null;
    return { ...locked, licence: licenceIn(await file.json()), isShipped: shipped.has(locked.key) };
  });
  return (await Promise.all(read)).filter((one) => one !== null);
}

type Manifest = { license?: string | { type?: string }; licenses?: { type?: string }[] };

function licenceIn({ license, licenses }: Manifest): string | null {
  if (typeof license === "string") return license;
  const types = [license, ...(licenses ?? [])].flatMap((one) => one?.type ?? []);
  return types.length === 0 ? null : types.join(" OR ");
}
