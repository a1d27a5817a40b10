import { cp, mkdir, readFile, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import type { BunPlugin } from "bun";
import { isTestFile } from "./source_hash.ts";

/** The folder of a release in a task. Bundles name it instead of the checkout's. */
const releaseFolder = "/app";

/**
 * Packages that are shipped as they are, with what they depend on. sharp, which decodes media, and msgpackr-extract,
 * BullMQ's fast path for options of jobs, have native code. Errors of Baileys are known by the path in their stack
 * (services/whatsapp/session/survivable.ts); libsignal is the one that Baileys loads.
 */
const unbundled = ["sharp", "msgpackr-extract", "@whiskeysockets/baileys", "libsignal"];

/** Programs of a release: each service's main.ts, and the program that a worker starts to decode media. */
const programs = "services/**/{main,child}.ts";

/** Files that programs read at run time. They keep their paths below the checkout. */
const assets = ["lib/**/*.{lua,sql}", "lib/db/migrations/meta/*.json", "services/**/*.{lua,css}"];

/** The console is a release of its own: new services leave the edge, which serves it, as it runs. */
export type Part = "services" | "console";

/**
 * Writes a part of a release into `folder`: the console's pages, or a bundle for each program, the assets, and the
 * packages that cannot be bundled. The same checkout gives the same bytes, wherever it lies, if it is the working
 * folder: Bun writes paths relative to that into bundles.
 */
export async function bundle(root: string, folder: string, part: Part): Promise<void> {
  if (part === "console") return bundleConsole(root, join(folder, "console"));
  const entries = (await Array.fromAsync(new Bun.Glob(programs).scan({ cwd: root })))
    .filter((path) => !isTestFile(path))
    .toSorted();
  await Promise.all([
    ...entries.map((path) => bundleProgram(root, path, folder)),
    copyAssets(root, folder),
    copyPackages(root, folder),
  ]);
}

async function bundleProgram(root: string, path: string, folder: string): Promise<void> {
  const { outputs } = await Bun.build({
    entrypoints: [join(root, path)],
    root,
    target: "bun",
    external: unbundled,
    plugins: [locateModules(root, dirname(path))],
    throw: true,
  });
  const text = await outputs[0]!.text();
  const file = join(folder, path.replace(/\.ts$/, ".js"));
  // Packages that use __dirname would name the machine that made the release.
  await Bun.write(file, text.replaceAll(await realpath(root), releaseFolder).replaceAll(root, releaseFolder));
}

/**
 * In a bundle `import.meta` is the bundle's own. Modules that find an asset by it get their former location, seen from
 * the folder `from` of the bundle.
 */
const locateModules = (root: string, from: string): BunPlugin => ({
  name: "locate-modules",
  setup(build) {
    build.onLoad({ filter: /\.ts$/, namespace: "file" }, async ({ path }) => {
      const contents = await readFile(path, "utf8");
      const module = relative(root, path);
      if (module.startsWith("node_modules/") || module.startsWith("..")) return { contents, loader: "ts" };
      const url = `new URL(${JSON.stringify(relative(from, module))}, import.meta.url)`;
      return {
        contents: contents
          .replaceAll(/\bimport\.meta\.url\b/g, `(${url}.href)`)
          .replaceAll(/\bimport\.meta\.dir\b/g, `(Bun.fileURLToPath(${url}).replace(/\\/[^/]*$/, ""))`),
        loader: "ts",
      };
    });
  },
});

async function bundleConsole(root: string, folder: string): Promise<void> {
  const { buildConsole } = (await import(join(root, "services/console/build.ts"))) as {
    buildConsole(folder: string): Promise<string[]>;
  };
  await buildConsole(folder);
}

async function copyAssets(root: string, folder: string): Promise<void> {
  for (const pattern of assets) {
    for await (const path of new Bun.Glob(pattern).scan({ cwd: root })) {
      if (!isTestFile(path) && !path.startsWith("services/console/")) await copy(join(root, path), join(folder, path));
    }
  }
}

/** Copies the packages that are not bundled, with their installed dependencies: those of this platform. */
async function copyPackages(root: string, folder: string): Promise<void> {
  const waiting = unbundled.map((name) => join(root, "node_modules", name));
  const copied = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (copied.has(path)) continue;
    copied.add(path);
    await copy(path, join(folder, relative(root, path)));
    const { dependencies = {}, optionalDependencies = {} } = (await Bun.file(join(path, "package.json")).json()) as {
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const names = Object.keys({ ...dependencies, ...optionalDependencies }).filter(
      (name) => !name.startsWith("@types/"),
    );
    waiting.push(...names.map((name) => installed(path, name)).filter((found) => found !== null));
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

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true, dereference: true });
}

if (import.meta.main) await bundle(process.cwd(), process.argv[2]!, process.argv[3] as Part);
