import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hunkRows, isAccepted } from "./report.ts";
import { baileys, copyCheckout, fitPatches, ownCopies, setVersion, versionIn } from "./scratch.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-upgrade-test-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
const write = async (path: string, text: string) => {
  await Bun.write(join(folder, path), text);
};

describe("a copy of the checkout", () => {
  const patchOf = (old: string, text: string) => `--- a/x.js\n+++ b/x.js\n@@ -1 +1 @@\n-${old}\n+${text}\n`;
  const oldPatch = "lib/patches/@whiskeysockets%2Fbaileys@1.0.0.patch";
  const newPatch = "lib/patches/@whiskeysockets%2Fbaileys@2.0.0.patch";

  async function checkout() {
    await write(
      "package.json",
      JSON.stringify({
        dependencies: { [baileys]: "1.0.0", libsignal: "6.0.0", zod: "4.0.0" },
        patchedDependencies: {
          [`${baileys}@1.0.0`]: oldPatch,
          "libsignal@6.0.0": "lib/patches/libsignal@6.0.0.patch",
          "zod@4.0.0": "zod.patch",
        },
        trustedDependencies: [],
      }),
    );
    await write(oldPatch, patchOf("old", "new"));
    await write("lib/patches/libsignal@6.0.0.patch", patchOf("old", "new"));
    await write("lib/patches/applied.ts", 'import baileys from "./@whiskeysockets%2Fbaileys@1.0.0.patch";\n');
  }
  const manifest = async () => (await Bun.file(join(folder, "package.json")).json()) as Record<string, object>;

  test("omits packages, history and state", async () => {
    for (const path of ["a/release/x.ts", ".git/x", ".prosaas/x", "node_modules/x", "release/x", "a/x.log"])
      await write(`from/${path}`, "x");
    await mkdir(join(folder, "into"));
    const copy = await copyCheckout(join(folder, "from"), join(folder, "into"));
    expect(await Array.fromAsync(new Bun.Glob("**/*").scan({ cwd: copy, dot: true }))).toEqual(["a/release/x.ts"]);
  });

  test("is removed if the checkout cannot be read", async () => {
    await expect(copyCheckout(join(folder, "absent"), folder)).rejects.toThrow("ENOENT");
    expect(await readdir(folder)).toEqual([]);
  });

  test("installs the version first without its patches", async () => {
    await checkout();
    const patches = await setVersion(folder, "2.0.0");
    expect(patches.get(baileys)).toBe(oldPatch);
    expect(await versionIn(folder)).toBe("2.0.0");
    expect((await manifest())["patchedDependencies"]).toEqual({ "zod@4.0.0": "zod.patch" });
    expect((await manifest())["trustedDependencies"]).toEqual([]);
  });

  test("registers only the hunks that apply", async () => {
    await checkout();
    await write(`node_modules/${baileys}/x.js`, "comment\nold\n");
    await write("node_modules/libsignal/x.js", "else\n");
    const patches = await fitPatches(folder, await setVersion(folder, "2.0.0"));
    const rows = hunkRows(patches);
    expect(rows.map(({ check, passed }) => `${check} ${passed}`)).toEqual([
      `${baileys} x.js:2 true`,
      "libsignal x.js:1 false",
    ]);
    expect(isAccepted(rows)).toBeFalse();
    expect((await manifest())["patchedDependencies"]).toEqual({
      "zod@4.0.0": "zod.patch",
      [`${baileys}@2.0.0`]: newPatch,
    });
    expect(await Bun.file(join(folder, newPatch)).text()).toContain("@@ -2,1 +2,1 @@\n-old\n+new\n");
    expect(existsSync(join(folder, oldPatch))).toBeFalse();
    expect(await Bun.file(join(folder, "lib/patches/applied.ts")).text()).toContain("baileys@2.0.0.patch");
  });

  test("names packages that Baileys brings itself", async () => {
    expect(ownCopies(folder)).toEqual([]);
    await write(`node_modules/${baileys}/node_modules/libsignal/package.json`, '{"version": "7.1.0"}');
    expect(ownCopies(folder)).toEqual(["libsignal 7.1.0"]);
  });
});
