import { describe, expect, test } from "bun:test";
import { applyExceptions, findRepeats } from "./repeats.ts";

const lines = (count: number, word = "line") => Array.from({ length: count }, (_, n) => `${word} ${n};`);
const file = (path: string, ...parts: string[][]) => ({ path, text: parts.flat().join("\n") });
const startsOf = (repeats: ReturnType<typeof findRepeats>) =>
  repeats.map(({ occurrences }) => occurrences.map(({ path, line }) => `${path}:${line}`));

describe("findRepeats", () => {
  test("finds a run that occurs three times", () => {
    const sources = [
      file("a.test.ts", lines(6), ["other;"], lines(6)),
      file(
        "b.test.ts",
        ["", "before;"],
        lines(6).map((line) => `  ${line}`),
      ),
    ];
    expect(startsOf(findRepeats(sources))).toEqual([["a.test.ts:1", "a.test.ts:8", "b.test.ts:3"]]);
  });

  test("accepts two occurrences and shorter runs", () => {
    expect(findRepeats([file("a.test.ts", lines(9)), file("b.test.ts", lines(9))])).toEqual([]);
    const short = ["a", "b", "c"].map((name) => file(`${name}.test.ts`, lines(5), [`${name};`]));
    expect(findRepeats(short)).toEqual([]);
  });

  test("reports a longer run once", () => {
    const sources = ["a", "b", "c"].map((name) => file(`${name}.test.ts`, [`${name};`], lines(12)));
    expect(startsOf(findRepeats(sources))).toEqual([["a.test.ts:2", "b.test.ts:2", "c.test.ts:2"]]);
  });

  test("counts no overlapping occurrences", () => {
    expect(findRepeats([file("a.test.ts", Array<string>(17).fill("again;"))])).toEqual([]);
    expect(findRepeats([file("a.test.ts", Array<string>(18).fill("again;"))])).toHaveLength(1);
  });

  test("ignores imports and blank lines", () => {
    const imports = ["import {", ...lines(6, "name").map((line) => line.replace(";", ",")), '} from "x";'];
    const sources = ["a", "b", "c"].map((name) => file(`${name}.test.ts`, imports, lines(6, name)));
    expect(findRepeats(sources)).toEqual([]);
    expect(findRepeats(["a", "b", "c"].map((name) => file(`${name}.test.ts`, Array<string>(9).fill(""))))).toEqual([]);
  });
});

test("applyExceptions accepts runs and names unused exceptions", () => {
  const repeats = findRepeats(["a", "b", "c"].map((name) => file(`nomad/${name}.nomad.hcl`, lines(6))));
  const exception = (path: string, line: string) => ({ path, line, reason: "for the test" });
  const [needed, elsewhere] = [exception("nomad/", "line 3;"), exception("lib/", "line 3;")];
  expect(applyExceptions(repeats, [elsewhere, needed])).toEqual({ faults: [], unused: [elsewhere] });
  expect(applyExceptions(repeats, [exception("nomad/", "line")]).faults).toEqual(repeats);
});
