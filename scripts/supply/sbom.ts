import { createHash } from "node:crypto";
import { join } from "node:path";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { Release, Tarball } from "../stack/release/tarball.ts";
import { readLock } from "./lockfile.ts";
import { readPackages } from "./packages.ts";
import type { Package } from "./packages.ts";

/*
 * The bill of materials of a release in CycloneDX, from bun.lock: the generators on npm read no lockfile of Bun. It has
 * the tarballs, the packages that they may contain with licences and checksums, and the Bun that runs them.
 */

const { Component, LicenseExpression, NamedLicense } = Models;

/** Writes prosaas-<start of its SHA-256>.cdx.json into `folder`. The same release gives the same bytes. */
export async function writeSbom(root: string, folder: string, release: Release): Promise<Tarball> {
  const lock = await readLock(root);
  const text = createSbom({
    packages: (await readPackages(root, lock)).filter(({ isShipped }) => isShipped),
    direct: lock.dependencies,
    release,
  });
  const sha256 = createHash("sha256").update(text).digest("hex");
  const file = `prosaas-${sha256.slice(0, 12)}.cdx.json`;
  await Bun.write(join(folder, file), text);
  return { file, sha256, bytes: Buffer.byteLength(text) };
}

export type Contents = {
  packages: readonly Package[];
  /** The keys of the packages that our own code imports. */
  direct: readonly string[];
  release: Readonly<Record<string, Tarball>>;
};

/** The text of the bill of materials. Without a time and a serial number, which would differ at each run. */
export function createSbom({ packages, direct, release }: Contents): string {
  const product = new Component(Enums.ComponentType.Application, "prosaas", { bomRef: "prosaas" });
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: product }) });
  const bun = new Component(Enums.ComponentType.Platform, "bun", { bomRef: "bun", version: Bun.version });
  bun.licenses.add(new NamedLicense("MIT"));
  bom.components.add(bun);
  product.dependencies.add(bun.bomRef);
  for (const [part, { file, sha256 }] of Object.entries(release)) {
    const tarball = new Component(Enums.ComponentType.File, file, { bomRef: file, description: `The tarball ${part}` });
    tarball.hashes.set(Enums.HashAlgorithm["SHA-256"], sha256);
    bom.components.add(tarball);
  }
  const libraries = new Map(packages.map((one) => [one.key, libraryOf(one)]));
  for (const { key, needs } of packages) {
    const library = libraries.get(key)!;
    bom.components.add(library);
    for (const need of needs) {
      const needed = libraries.get(need);
      if (needed !== undefined) library.dependencies.add(needed.bomRef);
    }
  }
  for (const key of direct) {
    const library = libraries.get(key);
    if (library !== undefined) product.dependencies.add(library.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 1 })}\n`;
}

function libraryOf({ key, name, version, licence, integrity }: Package): Models.Component {
  const library = new Component(Enums.ComponentType.Library, name, {
    // Of its path, because two copies of one version may have different dependencies.
    bomRef: `npm:${key}`,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  });
  if (integrity?.startsWith("sha512-"))
    library.hashes.set(Enums.HashAlgorithm["SHA-512"], Buffer.from(integrity.slice(7), "base64").toString("hex"));
  if (licence !== null) library.licenses.add(new LicenseExpression(licence));
  return library;
}
