import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failedTests } from "./failed_tests.ts";

test("the failed tests of a report are named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-failed-tests-"));
  try {
    const report = join(folder, "report.xml");
    await Bun.write(
      join(folder, "some.test.ts"),
      `import { describe, test, expect } from "bun:test";
      describe("outer", () => {
        describe("in & out", () => {
          test('fails "so"', () => expect("<a>").toBe("b"));
          test("passes", () => {});
        });
        test.skip("is skipped", () => {});
        test("never ends", () => new Promise(() => {}), 20);
      });`,
    );
    const command = [process.execPath, "test", "--reporter=junit", `--reporter-outfile=${report}`];
    await Bun.spawn(command, { cwd: folder, stdout: "ignore", stderr: "ignore" }).exited;
    expect(failedTests(await Bun.file(report).text())).toEqual([
      'some.test.ts: outer > in & out > fails "so" (expect(received).toBe(expected); Expected: "b"; Received: "<a>")',
      "some.test.ts: outer > never ends (test timed out)",
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
