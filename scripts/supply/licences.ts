import { join } from "node:path";
import { commandLine } from "../cli/arguments.ts";
import { acceptedLicences, permissiveLicences } from "./accepted.ts";
import type { AcceptedLicence } from "./accepted.ts";
import { readPackages } from "./packages.ts";
import type { Package } from "./packages.ts";

/*
 * task licences: writes licences.tsv, the licence of every package. With --check, as the static step runs it, compares
 * the file with what is installed, and exits 1 if they differ or if a licence is not accepted.
 */

/** One line for all platforms: machines differ in the builds that they install. */
const platformSuffix = /-(?:linux|linuxmusl|darwin|win32|freebsd|android|wasm32)\b.*$/;
export const commonName = ({ name, isOfPlatform }: Pick<Package, "name" | "isOfPlatform">): string =>
  isOfPlatform ? name.replace(platformSuffix, "-*") : name;

/** The text of licences.tsv. */
export function listLicences(packages: readonly Package[]): string {
  const lines = packages.map((one) =>
    [commonName(one), one.version, one.licence ?? "none", one.isShipped ? "shipped" : "tool"].join("\t"),
  );
  return ["package\tversion\tlicence\tuse", ...new Set(lines.toSorted())].join("\n") + "\n";
}

/** Packages whose licence is not accepted, and acceptances that are no longer needed. */
export function judgeLicences(
  packages: readonly Package[],
  accepted: readonly AcceptedLicence[] = acceptedLicences,
): string[] {
  const isAccepted = (one: Package) =>
    (one.licence !== null && isPermissive(one.licence)) || accepted.some((entry) => covers(entry, one));
  const refused = packages
    .filter((one) => !isAccepted(one))
    .map(({ name, version, licence }) => `${name} ${version} has the licence ${licence ?? "(none)"}`);
  const unused = accepted
    .filter((entry) => !packages.some((one) => covers(entry, one)))
    .map((entry) => `no package ${entry.package} has the licence ${entry.licence} any more`);
  return [...refused, ...unused].map((fault) => `${fault}: see scripts/supply/accepted.ts`);
}

const covers = (entry: AcceptedLicence, one: Package) =>
  entry.package === commonName(one) && entry.licence === one.licence;

/** Also of an expression, if one of its choices is: (MIT OR GPL-2.0). */
const isPermissive = (licence: string) =>
  licence
    .replace(/^\((.*)\)$/, "$1")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((part) => permissiveLicences.has(part)));

if (import.meta.main) {
  const { check } = commandLine(
    "licences",
    `List the licence of every package in scripts/supply/licences.tsv.

Exits 1 if one is neither permissive nor accepted, with a reason, in scripts/supply/accepted.ts.`,
  )
    .option("--check", "compare the list with what is installed, and write nothing", false)
    .parse()
    .opts();
  const packages = await readPackages(join(import.meta.dir, "../.."));
  const file = Bun.file(join(import.meta.dir, "licences.tsv"));
  const wanted = listLicences(packages);
  const faults = judgeLicences(packages);
  if (!check) await Bun.write(file, wanted);
  else if ((await file.text().catch(() => "")) !== wanted)
    faults.push("scripts/supply/licences.tsv is not what is installed: ./scripts/task licences writes it again");
  for (const fault of faults) console.error(fault);
  process.exit(faults.length > 0 ? 1 : 0);
}
