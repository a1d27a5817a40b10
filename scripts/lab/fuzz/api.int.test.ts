import { expect, test } from "bun:test";
import { fuzzApi } from "./campaign.ts";
import type { Finding } from "./campaign.ts";

test("fuzz:api finds no fault in a short campaign", async () => {
  const findings: Finding[] = [];
  const result = await fuzzApi({ requests: 1_500, seed: 7, onFinding: (finding) => findings.push(finding) });
  expect(findings.slice(0, 5)).toEqual([]);
  expect(result).toEqual({ requests: 1_500, server_errors: 0, invalid_responses: 0, leaks: 0 });
});
