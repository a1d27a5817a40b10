import { describe, expect, test } from "bun:test";
import { patchStates, unpatchedFiles } from "./applied.ts";

describe("patches", () => {
  test("are applied to the installed packages", () => {
    expect(patchStates()).toEqual([
      { package: "@whiskeysockets/baileys", applied: true, missing: [] },
      { package: "libsignal", applied: true, missing: [] },
    ]);
  });

  test("count as missing without one of their lines", () => {
    const patch = "diff --git a/x.js b/x.js\n--- a/x.js\n+++ b/x.js\n@@ -1 +1,2 @@\n-old\n+new\n+newer\n";
    expect(unpatchedFiles(patch, () => "new\nnewer\n")).toEqual([]);
    expect(unpatchedFiles(patch, () => "new\n")).toEqual(["x.js"]);
    expect(unpatchedFiles(patch, () => "old\n")).toEqual(["x.js"]);
    const absent = () => {
      throw new Error("no such file");
    };
    expect(unpatchedFiles(patch, absent)).toEqual(["x.js"]);
  });

  test("of an absent file count as missing", () => {
    const patch = "diff --git a/gone.js b/gone.js\n--- a/gone.js\n+++ b/gone.js\n@@ -1 +1 @@\n+x\n";
    expect(patchStates({ libsignal: patch })).toEqual([{ package: "libsignal", applied: false, missing: ["gone.js"] }]);
  });
});
