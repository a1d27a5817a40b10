import { describe, expect, test } from "bun:test";
import { exactVersion } from "./version.ts";

describe("a version", () => {
  test.each(["7.0.0", "7.0.0-rc14", "6.17.16", "8.0.0-beta.1"])("%s is exact", (text) => {
    expect(exactVersion(text)).toBe(text);
  });

  test.each([
    "",
    "latest",
    "^7.0.0",
    "7.0",
    "7.0.0 ",
    "7.0.0;id",
    "7.0.0-",
    "7.0.0-rc14\n",
    "../x",
    "--frozen",
    "1.1.1-é",
  ])("%j is refused", (text) => {
    expect(() => exactVersion(text)).toThrow("Give an exact version");
  });
});
