import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

describe("packages", () => {
  test("trusts no package's lifecycle scripts", async () => {
    // Without the field, Bun trusts a list of its own.
    const manifest = (await Bun.file(join(root, "package.json")).json()) as { trustedDependencies?: string[] };
    expect(manifest.trustedDependencies).toEqual([]);
    expect(await Bun.file(join(root, "bun.lock")).text()).not.toContain("trustedDependencies");
  });

  test("pins every dependency to an exact version", async () => {
    const { dependencies, devDependencies } = (await Bun.file(join(root, "package.json")).json()) as Record<
      string,
      Record<string, string>
    >;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^(npm:[^@]*@?[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});
