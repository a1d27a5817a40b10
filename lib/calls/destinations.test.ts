import { describe, expect, test } from "bun:test";
import { callingCodeOf, destinationRule, mayDial } from "./destinations.ts";

describe("callingCodeOf", () => {
  test.each([
    ["+15551112222", "+1"],
    ["+79161234567", "+7"],
    ["+442071234567", "+44"],
    ["+972501234567", "+972"],
    ["+5511987654321", "+55"],
    ["+35312345678", "+353"],
  ])("of %s is %s", (number, code) => expect(callingCodeOf(number)).toBe(code));
});

describe("mayDial", () => {
  const from = "+972501234567";
  const allowed = (rules: string[], to: string) => mayDial(rules, { from, to });

  test("allows nothing without rules", () => expect(allowed([], "+972541234567")).toBeFalse());

  test("own allows the caller's calling code only", () => {
    expect(allowed(["own"], "+972541234567")).toBeTrue();
    expect(allowed(["own"], "+9715412345")).toBeFalse();
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
