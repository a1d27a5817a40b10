import { describe, expect, test } from "bun:test";
import { findingsOf, parseExceptions } from "./prose.ts";

const rulesIn = (source: string, path = "lib/x.ts") => findingsOf(path, source).map(({ rule }) => rule);

describe("the prose check", () => {
  test.each([
    ["free-relative", "/** What a business has to send. */"],
    ["free-relative", "// Sends it. Whoever waits is woken."],
    ["archaic", "/** Begins anew. */"],
    ["under-way", "/* The call is under way. */"],
    ["away", "// Redis is away."],
    ["place", "// A place in the queue."],
    ["tell", "/** Tells the watchers. */"],
  ])("finds %s in a comment", (rule, source) => {
    expect(rulesIn(`${source}\nconst a = 1;`)).toContain(rule);
  });

  test("reads texts of several words and template literals", () => {
    expect(rulesIn('log.warn("the shard is away again");')).toEqual(["away"]);
    expect(rulesIn("throw new Error(`the shard ${n} is away again`);")).toEqual(["away"]);
    expect(rulesIn('const place = "place";')).toEqual([]);
  });

  test("accepts a question", () => {
    expect(rulesIn("// What if it fails?\nconst a = 1;")).toEqual([]);
  });

  test("limits test names to nine words", () => {
    expect(rulesIn('test("one two three four five six seven eight nine", () => {});')).toEqual([]);
    expect(rulesIn('test("one two three four five six seven eight nine ten", () => {});')).toEqual(["test-name"]);
    expect(rulesIn('test.each([1])("one two three four five six seven eight nine ten", () => {});')).toEqual([
      "test-name",
    ]);
  });

  test("limits lines to 120 columns", () => {
    expect(rulesIn(`const a = "${"x".repeat(120)}";`)).toEqual(["columns"]);
  });

  test("reads comments of job files and text of guides", () => {
    expect(rulesIn("count = 2 # whoever asks\n", "nomad/x.hcl")).toEqual(["archaic"]);
    expect(rulesIn("Redis is away.\n\n```sh\n# whoever\n```\n", "README.md")).toEqual(["away"]);
  });
});

test("an exception names a path, a rule and a part of the text", () => {
  expect(parseExceptions("# comment\nlib/a.ts tell is told to\n")).toEqual([
    { path: "lib/a.ts", rule: "tell", text: "is told to" },
  ]);
});
