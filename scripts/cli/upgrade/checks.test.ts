import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checksOf, integrationFiles, judgeBench } from "./checks.ts";

describe("checks", () => {
  const root = join(import.meta.dir, "../../..");
  const figures = { ratio_to_raw: 0.95, kb_per_session: 1_446, lost: 0, duplicates: 0, disordered_chats: 0 };
  const bench = (changed: object) => judgeBench(`starting\n${JSON.stringify({ ...figures, ...changed })}\n`).passed;

  test("name test files that exist", async () => {
    const integration = await integrationFiles(root);
    expect(integration).not.toEqual([]);
    const named = checksOf({ integration, bench: true }).flatMap(({ command }) => command);
    const paths = named.filter((word) => word.includes("/"));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("end with the bench unless it is skipped", () => {
    const names = (on: boolean) => checksOf({ integration: [], bench: on }).map(({ name }) => name);
    expect(names(true).at(-1)).toBe("bench:shard");
    expect(names(false)).not.toContain("bench:shard");
  });

  test("accept tests only if some passed and none failed", () => {
    const { judge } = checksOf({ integration: [], bench: false }).find(({ name }) => name === "unit tests")!;
    expect(judge("x\n12 passed, 0 failed\n").passed).toBeTrue();
    for (const output of ["0 passed, 0 failed", "12 passed, 1 failed", "12 passed, 0 failed\nInterrupted", ""])
      expect(judge(output).passed).toBeFalse();
  });

  test("name the failed tests", () => {
    const { judge } = checksOf({ integration: [], bench: false }).find(({ name }) => name === "integration tests")!;
    const output = "✗ against real servers: 12 passed, 1 failed\n  ✗ a.int.test.ts: x > y\n12 passed, 1 failed\n";
    expect(judge(output)).toEqual({ passed: false, detail: "12 passed, 1 failed; a.int.test.ts: x > y" });
  });

  test("accept a bench within its limits", () => {
    expect(bench({})).toBeTrue();
    for (const changed of [
      { ratio_to_raw: 0.89 },
      { kb_per_session: 1_601 },
      { lost: 1 },
      { duplicates: 1 },
      { disordered_chats: 1 },
      { lost: undefined },
      { ratio_to_raw: "1" },
    ])
      expect(bench(changed)).toBeFalse();
    expect(judgeBench("").passed).toBeFalse();
    expect(judgeBench("null").passed).toBeFalse();
  });
});
