import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSampleRunner } from "./sample_runner.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-sample-runner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Prints $BUSINESS_ID in each language. */
const samples = {
  curl: `echo "id: \${BUSINESS_ID:-missing}"`,
  JavaScript: `console.log(\`id: \${process.env.BUSINESS_ID ?? "missing"}\`);`,
  Python: `import os\nprint("id:", os.environ.get("BUSINESS_ID", "missing"))`,
};

describe("a sample runner", () => {
  test.each(Object.entries(samples))("hides variables of earlier samples in %s", async (language, sample) => {
    await using runner = await startSampleRunner(language, folder);
    expect(await runner.run(sample, { BUSINESS_ID: "biz_1" })).toContain("id: biz_1");
    expect(await runner.run(sample, { API_KEY: "key" })).toContain("id: missing");
    expect(await runner.run(sample, { BUSINESS_ID: "biz_2" })).toContain("id: biz_2");
  });
});
