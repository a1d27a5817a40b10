import { describe, expect, test } from "bun:test";
import { countryPrefixes, destinationRule, mayDial } from "./destinations.ts";

describe("countryPrefixes", () => {
  test.each([
    ["+15551112222", "+1"],
    ["+79161234567", "+7"],
    ["+442071234567", "+44"],
    ["+972501234567", "+972"],
    ["+5511987654321", "+55"],
    ["+35312345678", "+353"],
    ["+18761234567", "+1658 +1876"],
    ["+19001234567", "+1900"],
  ])("of %s are %s", (number, prefixes) => expect(countryPrefixes(number).join(" ")).toBe(prefixes));
});

describe("mayDial", () => {
  const from = "+972501234567";
  const allowed = (rules: string[], to: string) => mayDial(rules, { from, to });

  test("allows nothing without rules", () => expect(allowed([], "+972541234567")).toBeFalse());

  test("own allows the caller's calling code only", () => {
    expect(allowed(["own"], "+972541234567")).toBeTrue();
    expect(allowed(["own"], "+9715412345")).toBeFalse();
  });

  test("own of +1 excludes islands and premium rate", () => {
    const from = "+12125551234";
    expect(mayDial(["own"], { from, to: "+14165551234" })).toBeTrue();
    for (const to of ["+18765551234", "+18095551234", "+19005551234"])
      expect(mayDial(["own"], { from, to }), to).toBeFalse();
    expect(mayDial(["own"], { from: "+18095551234", to: "+18295551234" })).toBeTrue();
    expect(mayDial(["own"], { from: "+18095551234", to: from })).toBeFalse();
    expect(mayDial(["own", "+1876"], { from, to: "+18765551234" })).toBeTrue();
  });

  test("the longest prefix decides", () => {
    const rules = ["*", "!+1", "+1212", "!+1212976"];
    expect(allowed(rules, "+442071234567")).toBeTrue();
    expect(allowed(rules, "+18761234567")).toBeFalse();
    expect(allowed(rules, "+12125551234")).toBeTrue();
    expect(allowed(rules, "+12129761234")).toBeFalse();
  });

  test("a denial wins over the same prefix", () => expect(allowed(["+44", "!+44"], "+442071234567")).toBeFalse());
});

describe("destinationRule", () => {
  test.each(["44", "+", "!", "!*", "+0", "own ", "+44x", "+1234567890123456"])("rejects %p", (text) =>
    expect(destinationRule.safeParse(text).success).toBeFalse(),
  );
});
