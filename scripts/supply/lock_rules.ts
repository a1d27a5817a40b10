import { join } from "node:path";
import { parseLock } from "./lockfile.ts";
import type { Lock } from "./lockfile.ts";

/* Part of the static step: what is installed is what was reviewed. Prints what breaks a rule and exits 1. */

type Manifest = {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  trustedDependencies?: unknown;
};

/** An exact version, or an exact version of another name. */
const exact = /^(npm:@?[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;

/** The faults of a lockfile and its package.json. */
export function judgeLock({ packages }: Pick<Lock, "packages">, manifest: Manifest): string[] {
  const locked = [...packages.values()].flatMap(({ key, source, integrity }) => [
    ...(integrity?.startsWith("sha512-") ? [] : [`bun.lock has no SHA-512 of ${key}`]),
    ...(source === "" ? [] : [`bun.lock takes ${key} from ${source}, not from the registry`]),
  ]);
  const open = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter(([, version]) => !exact.test(version))
    .map(([name, version]) => `package.json asks for ${name} ${version}: name one version`);
  // Without the list, Bun runs the install scripts of packages that its authors trust.
  const trusted = Array.isArray(manifest.trustedDependencies)
    ? []
    : ["package.json has no trustedDependencies: list the packages whose install scripts may run, or []"];
  return [...locked, ...open, ...trusted];
}

if (import.meta.main) {
  const root = join(import.meta.dir, "../..");
  const text = (name: string) => Bun.file(join(root, name)).text();
  const faults = judgeLock(parseLock(await text("bun.lock")), JSON.parse(await text("package.json")) as Manifest);
  for (const fault of faults) console.error(fault);
  process.exit(faults.length > 0 ? 1 : 0);
}
