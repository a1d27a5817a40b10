import { expect, test } from "bun:test";
import { tailReport } from "./tail.ts";

test("lists the slowest messages with their CPU use", () => {
  const uses = { api: { usedMs: 100, waitedMs: 10 }, redis: { usedMs: 1, waitedMs: 0 } };
  const messages = Array.from({ length: 100 }, (_, n) => ({ at: n, ms: n, apiMs: n / 2, kind: `kind-${n}` }));
  const [title, ...rows] = tailReport(messages, { between: () => ({ ms: 200, uses }), stop: () => {} });
  expect(title).toBe("slowest 2 of 100 messages of the other tenant");
  expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
    ["99 ms", "api 50", "kind-99", "used: api 0.50", "waited: api 0.05"],
    ["98 ms", "api 49", "kind-98", "used: api 0.50", "waited: api 0.05"],
  ]);
});
