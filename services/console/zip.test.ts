import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packExtension } from "./pack_extension.ts";

describe("the packed extension", () => {
  test("unpacks to its files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "prosaas-zip-"));
    try {
      const file = join(folder, "extension.zip");
      await packExtension(file);
      const python = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); z.testzip(); z.extractall(sys.argv[2])";
      expect(Bun.spawnSync(["python3", "-c", python, file, folder]).exitCode).toBe(0);
      const manifest = (await Bun.file(join(folder, "manifest.json")).json()) as { background: object };
      expect(manifest.background).toEqual({ service_worker: "background.js" });
      for (const name of ["background.js", "site.js", "prompt.js", "popup.html", "README.md"]) {
        const packed = await Bun.file(join(folder, name)).text();
        expect(packed).toBe(await Bun.file(join(import.meta.dir, "extension", name)).text());
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
