import { cp, mkdir, readFile, realpath, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import type { BunPlugin } from "bun";
import { parts, programsOf } from "./parts.ts";
import type { Part } from "./parts.ts";

/** The folder of a release in a task. Bundles name it instead of the checkout's. */
const releaseFolder = "/app";

/**
 * Packages that are shipped as they are, with what they depend on, to the parts that import them. sharp, which decodes
 * media, and msgpackr-extract, BullMQ's fast path for options of jobs, have native code. Errors of Baileys are known by
 * the path in their stack (services/whatsapp/session/survivable.ts); libsignal is the one that Baileys loads.
 */
const unbundled = ["sharp", "msgpackr-extract", "@whiskeysockets/baileys", "libsignal"];

/** Files that a module reads at run time from its own folder, which it finds by import.meta. They keep their paths. */
const assets = "**/*.{sql,json,css,client.ts}";

/**
 * Writes each part of a release into a folder of its name below `folder`. The same checkout gives the same bytes,
 * wherever it lies, if it is the working folder: Bun writes paths relative to that into bundles.
 */
export async function bundle(root: string, folder: string): Promise<void> {
  await Promise.all(parts.map((part) => bundlePart(root, join(folder, part), part)));
}

/** Writes the programs of all parts into `folder`, for tests: the packages beside them are the checkout's. */
export async function bundlePrograms(root: string, folder: string): Promise<void> {
  const bundled = await Promise.all(parts.flatMap(programsOf).map((path) => bundleProgram(root, path, folder)));
  await copyAssets(root, folder, new Set(bundled.flatMap(({ located }) => [...located])));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}

async function bundlePart(root: string, folder: string, part: Part): Promise<void> {
  if (part === "console") return bundleConsole(root, join(folder, "console"));
  const bundled = await Promise.all(programsOf(part).map((path) => bundleProgram(root, path, folder)));
  await copyAssets(root, folder, new Set(bundled.flatMap(({ located }) => [...located])));
  await copyPackages(root, folder, new Set(bundled.flatMap(({ packages }) => packages)));
}

type Bundled = {
  /** Folders of modules that find files by import.meta, relative to the checkout. */
  located: ReadonlySet<string>;
  /** The unbundled packages that the program imports. */
  packages: string[];
};

async function bundleProgram(root: string, path: string, folder: string): Promise<Bundled> {
  const located = new Set<string>();
  const { outputs } = await Bun.build({
    entrypoints: [join(root, path)],
    root,
    target: "bun",
    external: unbundled,
    plugins: [locateModules(root, dirname(path), located)],
    throw: true,
  });
  const text = await outputs[0]!.text();
  const file = join(folder, path.replace(/\.ts$/, ".js"));
  // Packages that use __dirname would name the machine that made the release.
  await Bun.write(file, text.replaceAll(await realpath(root), releaseFolder).replaceAll(root, releaseFolder));
  // By text: BullMQ's require of msgpackr-extract is in a function, where a parser of imports misses it.
  return { located, packages: unbundled.filter((name) => text.includes(`"${name}"`) || text.includes(`"${name}/`)) };
}

/**
 * In a bundle `import.meta` is the bundle's own. Modules that find an asset by it get their former location, seen from
 * the folder `from` of the bundle, and their folders are added to `located`.
 */
const locateModules = (root: string, from: string, located: Set<string>): BunPlugin => ({
  name: "locate-modules",
  setup(build) {
    build.onLoad({ filter: /\.ts$/, namespace: "file" }, async ({ path }) => {
      const contents = await readFile(path, "utf8");
      const module = relative(root, path);
      if (module.startsWith("node_modules/") || module.startsWith("..")) return { contents, loader: "ts" };
      const url = `new URL(${JSON.stringify(relative(from, module))}, import.meta.url)`;
      const found = contents
        .replaceAll(/\bimport\.meta\.url\b/g, `(${url}.href)`)
        .replaceAll(/\bimport\.meta\.dir\b/g, `(Bun.fileURLToPath(${url}).replace(/\\/[^/]*$/, ""))`);
      if (found !== contents) located.add(dirname(module));
      return { contents: found, loader: "ts" };
    });
  },
});

async function bundleConsole(root: string, folder: string): Promise<void> {
  const { buildConsole } = (await import(join(root, "services/console/build.ts"))) as {
    buildConsole(folder: string): Promise<string[]>;
  };
  await buildConsole(folder);
}

async function copyAssets(root: string, folder: string, located: ReadonlySet<string>): Promise<void> {
  for (const from of located) {
    for await (const path of new Bun.Glob(assets).scan({ cwd: join(root, from) }))
      await copy(join(root, from, path), join(folder, from, path));
  }
}

/** Copies packages with their installed dependencies: those of this platform. */
async function copyPackages(root: string, folder: string, names: ReadonlySet<string>): Promise<void> {
  const waiting = [...names].map((name) => join(root, "node_modules", name));
  const copied = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (copied.has(path)) continue;
    copied.add(path);
    await copy(path, join(folder, relative(root, path)));
    const { dependencies = {}, optionalDependencies = {} } = (await Bun.file(join(path, "package.json")).json()) as {
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const needed = Object.keys({ ...dependencies, ...optionalDependencies }).filter(
      (name) => !name.startsWith("@types/"),
    );
    waiting.push(...needed.map((name) => installed(path, name)).filter((found) => found !== null));
  }
}

/** The folder of a package as `from` would import it; null where it is not installed. */
function installed(from: string, name: string): string | null {
  const folders = createRequire(join(from, "package.json")).resolve.paths(name) ?? [];
  for (const folder of folders) {
    const path = join(folder, name);
    if (Bun.file(join(path, "package.json")).size > 0) return path;
  }
  return null;
}

/** Files of packages that no program reads: half of them. */
const isUnread = (path: string) => /\.(d\.[cm]?ts|map|md)$/.test(path);

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true, dereference: true, filter: (path) => !isUnread(path) });
}

if (import.meta.main) await bundle(process.cwd(), process.argv[2]!);
