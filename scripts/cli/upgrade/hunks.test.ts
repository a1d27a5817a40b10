import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../stack/program.ts";
import { fitHunks, isSettled, parsePatch, rebasedPatch } from "./hunks.ts";

const original = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
const patch = `diff --git a/x.js b/x.js
--- a/x.js
+++ b/x.js
@@ -1,3 +1,4 @@
 one
-two
+second
+and a half
 three
@@ -5,3 +6,2 @@ function five() {
 five
-six
 seven
`;
const fitsOf = (text: string | undefined) => fitHunks(parsePatch(patch), () => text).map(({ fit }) => fit);

describe("a hunk", () => {
  test("applies at its line", () => {
    expect(fitsOf(original)).toEqual(["applies", "applies"]);
  });

  test("is shifted by lines above it", () => {
    expect(fitHunks(parsePatch(patch), () => `zero\n${original}`)).toMatchObject([
      { fit: "shifted", line: 2 },
      { fit: "shifted", line: 6 },
    ]);
  });

  test("is contained in a release with the same fix", () => {
    expect(fitsOf("one\nsecond\nand a half\nthree\nfour\nfive\nsix\nseven\n")).toEqual(["contained", "shifted"]);
  });

  test("conflicts with other lines", () => {
    const verdicts = fitHunks(parsePatch(patch), () => original.replace("two", "2"));
    expect(verdicts.map(({ fit }) => fit)).toEqual(["conflict", "applies"]);
    expect(verdicts.map(isSettled)).toEqual([false, true]);
  });

  test("has no file after a rename", () => {
    expect(fitsOf(undefined)).toEqual(["no_file", "no_file"]);
  });

  test("takes the nearest of equal lines", () => {
    const repeated = "a\nb\n".repeat(20);
    const hunks = parsePatch("--- a/x.js\n+++ b/x.js\n@@ -11,2 +11,1 @@\n a\n-b\n");
    expect(fitHunks(hunks, () => `new\n${repeated}`)[0]).toMatchObject({ fit: "shifted", line: 10 });
  });
});

describe("a patch", () => {
  test("keeps changed lines that look like headers", () => {
    const hunks = parsePatch("--- a/x.js\n+++ b/x.js\n@@ -1 +1 @@\n--- a/y.js\n+++ b/y.js\n");
    expect(hunks).toEqual([
      {
        file: "x.js",
        line: 1,
        lines: [
          { sign: "-", text: "-- a/y.js" },
          { sign: "+", text: "++ b/y.js" },
        ],
      },
    ]);
  });

  test("with an incomplete hunk is refused", () => {
    expect(() => parsePatch("+++ b/x.js\n@@ -1,2 +1,2 @@\n one\n")).toThrow("incomplete");
  });

  test("without hunks that apply is empty", () => {
    expect(rebasedPatch(fitHunks(parsePatch(patch), () => undefined))).toBe("");
  });

  test("is rebased on the present line numbers", async () => {
    const folder = await mkdtemp(join(tmpdir(), "prosaas-hunks-"));
    try {
      const file = join(folder, "x.js");
      await Bun.write(file, `zero\n${original}`);
      await Bun.write(join(folder, "x.patch"), rebasedPatch(fitHunks(parsePatch(patch), () => `zero\n${original}`)));
      const applied = await runProgram(["git", "apply", "--unidiff-zero", "x.patch"], { cwd: folder });
      expect(applied).toMatchObject({ code: 0, stderr: "" });
      expect(await Bun.file(file).text()).toBe("zero\none\nsecond\nand a half\nthree\nfour\nfive\nseven\n");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("the patches of the checkout", () => {
  const patches = join(import.meta.dir, "../../../lib/patches");

  test("parse into all their hunks", async () => {
    const names = (await readdir(patches)).filter((name) => name.endsWith(".patch"));
    expect(names).not.toEqual([]);
    for (const name of names) {
      const text = await Bun.file(join(patches, name)).text();
      const changed = parsePatch(text).flatMap(({ lines }) => lines.filter(({ sign }) => sign !== " "));
      const marked = text.split("\n").filter((line) => /^[+-](?!\+\+ b\/|-- a\/)/.test(line));
      expect(changed).toHaveLength(marked.length);
    }
  });
});
