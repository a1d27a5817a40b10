import { describe, expect, test } from "bun:test";
import { commandLineOf, figuresText, withRow } from "./results.ts";

const row = { date: "2026-11-29", commit: "abc1234", machine: "2 × CPU", command: "`bench:api`", figures: "post 1" };

describe("withRow", () => {
  const empty = "# Results\n\n## Former figures\n\n| what |\n";

  test("creates a command's table before the former figures", () => {
    const text = withRow(empty, "bench:api", row);
    expect(text).toContain("## bench:api\n\n| date | commit | machine | command | figures |\n");
    expect(text).toContain("| 2026-11-29 | abc1234 | 2 × CPU | `bench:api` | post 1 |\n\n## Former figures\n");
  });

  test("puts the newest row first", () => {
    const text = withRow(withRow(empty, "bench:api", row), "bench:api", { ...row, figures: "post 2" });
    expect(text.indexOf("post 2")).toBeLessThan(text.indexOf("post 1"));
    expect(text.match(/## bench:api/g)).toHaveLength(1);
  });

  test("escapes column separators", () => {
    expect(withRow(empty, "bench:api", { ...row, figures: "a|b" })).toContain("a\\|b");
  });
});

describe("the cells of a row", () => {
  test("leave out the options of the output's form", () => {
    expect(commandLineOf("bench:api", ["--seconds", "1", "--record", "--json"])).toBe("`bench:api -- --seconds 1`");
    expect(commandLineOf("bench:api", ["--record"])).toBe("`bench:api`");
  });

  test("show nested figures as JSON", () => {
    expect(figuresText({ lost: 0, recover_ms: { pooler: 5 } })).toBe('lost 0, recover_ms {"pooler":5}');
  });
});
