import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../stack/environment.ts";
import { scriptFiles } from "./scripts.ts";

describe("scriptFiles", () => {
  test.each(Object.entries(scriptFiles))("has a file for %s", (_, file) => {
    expect(existsSync(join(root, "scripts/cli", file))).toBeTrue();
  });
});
