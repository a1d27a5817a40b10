import { join } from "node:path";

type Needs = Readonly<Record<string, string>>;

/** The fields of an entry of bun.lock that this folder reads. */
type Details = {
  dependencies?: Needs;
  optionalDependencies?: Needs;
  peerDependencies?: Needs;
  /** Only where the package has native code for one platform. */
  os?: string;
  cpu?: string;
};

export type Locked = {
  /** The path in the tree: "a/b" is node_modules/a/node_modules/b. */
  key: string;
  name: string;
  version: string;
  /** The registry if it is not the configured one, or a folder of a patched or linked package. */
  source: string;
  /** Such as sha512-<base64>; null if bun.lock has none. */
  integrity: string | null;
  isOfPlatform: boolean;
  /** The keys of what it needs, also of optional packages for other platforms. */
  needs: readonly string[];
};

export type Lock = {
  packages: ReadonlyMap<string, Locked>;
  /** Names in package.json. */
  dependencies: readonly string[];
  devDependencies: readonly string[];
};

/** Parses the text of bun.lock; ours because Bun has no API for it. */
export function parseLock(text: string): Lock {
  const { workspaces, packages } = Bun.JSONC.parse(text) as {
    workspaces: { "": { dependencies?: Needs; devDependencies?: Needs } };
    packages: Record<string, [id: string, source: string, details: Details, integrity?: string]>;
  };
  const locked = Object.entries(packages).map(([key, [id, source, details, integrity]]): [string, Locked] => {
    const at = id.lastIndexOf("@");
    const { dependencies, optionalDependencies, peerDependencies, os, cpu } = details;
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    const needs = names.map((name) => resolve(packages, key, name)).filter((found) => found !== null);
    return [
      key,
      {
        key,
        name: id.slice(0, at),
        version: id.slice(at + 1),
        source,
        integrity: integrity ?? null,
        isOfPlatform: os !== undefined || cpu !== undefined,
        needs,
      },
    ];
  });
  const { dependencies = {}, devDependencies = {} } = workspaces[""];
  return {
    packages: new Map(locked),
    dependencies: Object.keys(dependencies),
    devDependencies: Object.keys(devDependencies),
  };
}

/** The key of `name` as the package at `from` imports it: in its own node_modules, or in the nearest above. */
function resolve(packages: object, from: string, name: string): string | null {
  for (let folder = from; folder !== ""; folder = parentOf(folder))
    if (`${folder}/${name}` in packages) return `${folder}/${name}`;
  return name in packages ? name : null;
}

/** "a/@b/c" without its last package: "a". */
const parentOf = (key: string) => key.replace(/(^|\/)(@[^/]+\/)?[^/]+$/, "");

/** The keys of packages and of all that they need. */
export function closureOf({ packages }: Pick<Lock, "packages">, names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const waiting = [...names];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    waiting.push(...(packages.get(key)?.needs ?? []));
  }
  return found;
}

/** The folder below the checkout in which a package is installed. */
export const folderOf = (key: string): string =>
  [...key.matchAll(/(?:@[^/]+\/)?[^/]+/g)].map(([name]) => `node_modules/${name}`).join("/");

export const readLock = async (root: string): Promise<Lock> => parseLock(await Bun.file(join(root, "bun.lock")).text());
