import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import type { Release } from "../stack/release/tarball.ts";
import { judgeReport, parseReport } from "./audit.ts";
import { commonName, judgeLicences, listLicences } from "./licences.ts";
import { judgeLock } from "./lock_rules.ts";
import { closureOf, folderOf, parseLock } from "./lockfile.ts";
import { readPackages } from "./packages.ts";
import type { Package } from "./packages.ts";
import { createSbom, writeSbom } from "./sbom.ts";

const root = join(import.meta.dir, "../..");

const lock = parseLock(`{
  "workspaces": { "": { "dependencies": { "a": "1.0.0" }, "devDependencies": { "tool": "npm:other@2.0.0" } } },
  "packages": {
    "a": ["a@1.0.0", "", { "dependencies": { "@x/b": "1" }, "optionalDependencies": { "p": "1" } }, "sha512-AA=="],
    "a/@x/b": ["@x/b@1.5.0", "", { "dependencies": { "c": "1" } }, "sha512-AA=="],
    "a/@x/b/c": ["c@1.2.3", "", {}, "sha512-AA=="],
    "@x/b": ["@x/b@2.0.0", "", {}, "sha512-AA=="],
    "c": ["c@3.0.0", "", {}, "sha512-AA=="],
    "p": ["p@1.0.0", "", { "os": "linux", "cpu": "x64" }, "sha512-AA=="],
    "tool": ["other@2.0.0", "", { "peerDependencies": { "c": "*" } }, "sha512-AA=="],
  }
}`);

const one = (name: string, licence: string | null, more: Partial<Package> = {}): Package => ({
  key: name,
  name,
  version: "1.0.0",
  source: "",
  integrity: "sha512-AA==",
  isOfPlatform: false,
  needs: [],
  licence,
  isShipped: true,
  ...more,
});

describe("bun.lock", () => {
  test("gives what each package imports, the nearest first", () => {
    expect([...closureOf(lock, lock.dependencies)].toSorted()).toEqual(["a", "a/@x/b", "a/@x/b/c", "p"]);
    expect([...closureOf(lock, lock.devDependencies)].toSorted()).toEqual(["c", "tool"]);
    expect(lock.packages.get("tool")).toMatchObject({ name: "other", version: "2.0.0" });
    expect(folderOf("a/@x/b/c")).toBe("node_modules/a/node_modules/@x/b/node_modules/c");
  });

  test("must name one version and its checksum", () => {
    const manifest = { dependencies: { a: "1.0.0", b: "^1.0.0" }, devDependencies: { t: "npm:o@2.0.0-rc.1" } };
    expect(judgeLock(lock, { ...manifest, trustedDependencies: [] })).toEqual([
      "package.json asks for b ^1.0.0: name one version",
    ]);
    expect(judgeLock(lock, {})).toEqual([expect.stringContaining("has no trustedDependencies")]);
    const foreign = parseLock(`{ "workspaces": { "": {} }, "packages": {
      "a": ["a@1.0.0", "https://packages.example.com/", {}], } }`);
    expect(judgeLock(foreign, { trustedDependencies: [] })).toEqual([
      "bun.lock has no SHA-512 of a",
      "bun.lock takes a from https://packages.example.com/, not from the registry",
    ]);
  });

  test("of this checkout describes what is installed", async () => {
    const packages = await readPackages(root);
    expect(packages.length).toBeGreaterThan(100);
    const { version, isShipped } = packages.find(({ key }) => key === "zod")!;
    expect({ version, isShipped }).toEqual({
      version: ((await Bun.file(join(root, "node_modules/zod/package.json")).json()) as { version: string }).version,
      isShipped: true,
    });
    expect(packages.find(({ key }) => key === "oxlint")?.isShipped).toBeFalse();
  });
});

describe("licences", () => {
  test("are listed once for all platforms", () => {
    const build = (platform: string) => one(`@x/p-${platform}`, "MIT", { isOfPlatform: true });
    expect(commonName(build("linuxmusl-arm64"))).toBe("@x/p-*");
    expect(listLicences([one("b", null, { isShipped: false }), build("linux-x64"), build("darwin-arm64")])).toBe(
      "package\tversion\tlicence\tuse\n@x/p-*\t1.0.0\tMIT\tshipped\nb\t1.0.0\tnone\ttool\n",
    );
  });

  test("other than permissive ones need a reason", () => {
    const gpl = { package: "g", licence: "GPL-3.0", reason: "r" };
    expect(judgeLicences([one("a", "MIT"), one("b", "(GPL-2.0 OR MIT)"), one("g", "GPL-3.0")], [gpl])).toEqual([]);
    expect(judgeLicences([one("a", null), one("b", "MIT AND GPL-2.0"), one("g", "AGPL-3.0")], [gpl])).toEqual([
      expect.stringContaining("a 1.0.0 has the licence (none)"),
      expect.stringContaining("b 1.0.0 has the licence MIT AND GPL-2.0"),
      expect.stringContaining("g 1.0.0 has the licence AGPL-3.0"),
      expect.stringContaining("no package g has the licence GPL-3.0 any more"),
    ]);
  });
});

describe("the bill of materials", () => {
  const release = { api: { file: "prosaas-api-1.tar.gz", sha256: "ab".repeat(32), bytes: 1 } };
  const packages = [
    one("@x/b", "MIT", { needs: ["c", "absent"], integrity: `sha512-${Buffer.alloc(64).toString("base64")}` }),
    one("c", "(MIT OR CC0-1.0)", { version: "3.0.0-rc.1" }),
    one("libsignal", "GPL-3.0"),
  ];

  test("follows the schema of CycloneDX", async () => {
    const text = createSbom({ packages, direct: ["@x/b"], release });
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
    const { components, dependencies } = JSON.parse(text) as { components: object[]; dependencies: object[] };
    expect(components).toContainEqual(
      expect.objectContaining({
        "bom-ref": "npm:@x/b",
        purl: "pkg:npm/%40x/b@1.0.0",
        licenses: [{ expression: "MIT" }],
        hashes: [{ alg: "SHA-512", content: "00".repeat(64) }],
      }),
    );
    expect(components).toContainEqual(expect.objectContaining({ name: "prosaas-api-1.tar.gz", type: "file" }));
    expect(dependencies).toContainEqual({ ref: "prosaas", dependsOn: ["bun", "npm:@x/b"] });
    expect(dependencies).toContainEqual({ ref: "npm:@x/b", dependsOn: ["npm:c"] });
  });

  test("of this checkout is valid and reproducible", async () => {
    const folder = await mkdtemp(join(tmpdir(), "prosaas-sbom-"));
    try {
      const written = await writeSbom(root, folder, release as unknown as Release);
      expect(await writeSbom(root, folder, release as unknown as Release)).toEqual(written);
      const text = await Bun.file(join(folder, written.file)).text();
      expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
      expect(text).toContain("pkg:npm/zod@");
      expect(text).not.toContain("pkg:npm/oxlint@");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("advisories", () => {
  const url = "https://github.com/advisories/GHSA-1";
  const found = { a: [{ url, title: "Bad", severity: "high", vulnerable_versions: "<2" }] };
  const accepted = { url, package: "a", reason: "r", until: "2027-01-01" };

  test("fail unless they are accepted, for a time", () => {
    expect(judgeReport(found, [])).toEqual([`a <2, high: Bad (${url})`]);
    expect(judgeReport(found, [accepted], "2026-12-31")).toEqual([]);
    expect(judgeReport(found, [accepted], "2027-01-01")).toEqual([expect.stringContaining("acceptance has ended")]);
    expect(judgeReport({}, [accepted], "2026-12-31")).toEqual([expect.stringContaining("does not apply to a")]);
  });

  test("are unknown without an answer", () => {
    expect(parseReport(JSON.stringify(found))).toEqual(found);
    expect(parseReport("{}")).toEqual({});
    for (const text of ["", "error: 404", '{"error": "Not found"}']) expect(parseReport(text)).toBeNull();
  });
});
