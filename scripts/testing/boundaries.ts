import { join } from "node:path";

/**
 * The layers of lib, from the bottom: a folder imports only from the layers below its own. Services import every layer
 * and never each other. Scripts import everything.
 */
const layers: readonly (readonly string[])[] = [
  ["core", "media", "patches"],
  ["tracing"],
  ["runtime", "messages", "broadcasts", "egress"],
  ["consul", "redis", "db", "storage", "contracts", "webhooks", "api-client"],
  ["routing", "queues", "events", "moves", "media-store", "quotas", "calls", "scaling"],
];

const layerOf = (folder: string) => layers.findIndex((folders) => folders.includes(folder));

const isTestCode = (path: string) => /(^lib\/testing\/|\/testing\/|\.(test|fixture)\.ts$)/.test(path);

const feature = /^services\/api\/features\/([^/]+)\//;
const isRoutes = (path: string) => /(^|\/|_)routes\.ts$/.test(path);

/** Why the file at `from` may not import the one at `to`; null where it may. Paths from the checkout's root. */
export function faultOf(from: string, to: string): string | null {
  const [top, folder = ""] = from.split("/");
  const [targetTop, target = ""] = to.split("/");
  if (top === "scripts" || isTestCode(from)) return null;
  if (targetTop === "scripts") return "only scripts import scripts";
  if (isTestCode(to)) return "only tests import test code";
  const own = feature.exec(from)?.[1];
  if (own !== undefined && isRoutes(to) && feature.exec(to)?.[1] !== own)
    return "a feature of the API never imports another's routes: what two share is a file beside them";
  if (top === "services")
    return targetTop === "services" && target !== folder
      ? "services never import each other: what two share lives in lib"
      : null;
  if (targetTop === "services") return "lib knows no service";
  if (top !== "lib" || target === folder) return null;
  if (layerOf(folder) < 0) return `lib/${folder} has no layer: add it to ${import.meta.file}`;
  return layerOf(target) < layerOf(folder)
    ? null
    : `lib/${folder} may not import lib/${target}: it is not in a lower layer`;
}

/** Relative imports of a file, of types too, as paths from the root. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import) ?\(?"(\.{1,2}\/[^"]+)"/g)].map(([, target]) => join(path, "..", target!));
}

if (import.meta.main) {
  const root = join(import.meta.dir, "../..");
  const files = await Array.fromAsync(new Bun.Glob("{lib,services,scripts}/**/*.ts").scan({ cwd: root }));
  const faults: string[] = [];
  for (const path of files.toSorted()) {
    for (const target of importsOf(path, await Bun.file(join(root, path)).text())) {
      const fault = faultOf(path, target);
      if (fault !== null) faults.push(`${path} imports ${target}: ${fault}`);
    }
  }
  for (const fault of faults) console.error(fault);
  process.exit(faults.length > 0 ? 1 : 0);
}
