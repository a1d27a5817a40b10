import { describe, expect, test } from "bun:test";
import { printPaper } from "./paper.ts";
import { armored, open, seal } from "./sealed.ts";

const passphrase = "correct horse battery staple";
const content = {
  exportedAt: "2026-11-30T18:00:00.000Z",
  variables: { "prosaas/secrets": { data_keys: `k1:${Buffer.alloc(32, 7).toString("base64")}`, text: "ü\nn" } },
};
const sealed = await seal(content, passphrase, 4);
const paper = await printPaper(sealed, { cluster: "test", exportedAt: content.exportedAt, contents: ["data_keys"] });
const withoutQr = paper.slice(0, paper.indexOf("█"));

describe("an export", () => {
  test("opens as a file", async () => {
    expect(await open(armored(sealed), passphrase)).toEqual(content);
  });

  test("opens from typed lines", async () => {
    expect(await open(withoutQr.toLowerCase().replaceAll(/(?<=\w\w)0(?=\w\w)/g, "o"), passphrase)).toEqual(content);
  });

  test("opens from a scanned code", async () => {
    const data = [...withoutQr.matchAll(/^ *\d+\/\d+ {2}(.*) {2}..$/gm)].map(([, line]) => line).join("");
    expect(await open(`PROSAAS1:${data.replaceAll(" ", "")}`, passphrase)).toEqual(content);
  });

  test("does not open with another passphrase", async () => {
    await expect(open(armored(sealed), "correct horse battery stable")).rejects.toThrow("passphrase is wrong");
  });

  test("refuses a short passphrase", async () => {
    await expect(seal(content, "short")).rejects.toThrow("too short");
  });

  test("has no value in clear", () => {
    for (const text of [armored(sealed), paper]) expect(text).not.toContain("BwcHBwcH");
  });
});

describe("a paper", () => {
  test("names the line with a typing error", async () => {
    const typo = withoutQr.replace(
      /^( *3\/\d+ {2})(.)/m,
      (_, head: string, digit: string) => head + (digit === "2" ? "3" : "2"),
    );
    await expect(open(typo, passphrase)).rejects.toThrow("Line 3 has a typing error.");
  });

  test("names a line that is missing", async () => {
    await expect(open(withoutQr.replace(/^ *4\/.*\n/m, ""), passphrase)).rejects.toThrow("Line 4 is missing");
    const last = withoutQr.trimEnd().split("\n").length;
    const cut = withoutQr
      .trimEnd()
      .split("\n")
      .slice(0, last - 1)
      .join("\n");
    await expect(open(cut, passphrase)).rejects.toThrow(/Line \d+ is missing/);
  });
});
