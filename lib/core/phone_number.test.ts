import { describe, expect, test } from "bun:test";
import { cpuMs } from "../testing/cpu_time.ts";
import { array, assert, constantFrom, integer, property, string, tuple } from "fast-check";
import { notAPhoneNumber, phoneDigitsOf } from "./phone_number.ts";

const digits = tuple(
  integer({ min: 1, max: 9 }),
  array(integer({ min: 0, max: 9 }), { minLength: 6, maxLength: 14 }),
).map(([first, rest]) => [first, ...rest].join(""));
const separator = constantFrom("", " ", "-", ".", "\u00A0", "\u202F", "\u2009", "\u2011", "\u2212", "\u200E", "\u2066");

describe("a phone number", () => {
  test("survives separators, marks and address suffixes", () => {
    const written = tuple(
      digits,
      array(separator, { minLength: 16, maxLength: 16 }),
      constantFrom("", "+"),
      constantFrom("", "@c.us", "@s.whatsapp.net"),
    );
    assert(
      property(written, ([number, between, plus, suffix]) => {
        const text =
          plus +
          Array.from(number)
            .map((digit, n) => between[n]! + digit)
            .join("") +
          suffix;
        expect(phoneDigitsOf(text)).toBe(number);
      }),
    );
  });

  test("is its own normal form", () => {
    assert(
      property(string({ unit: "binary", maxLength: 80 }), (text) => {
        const number = phoneDigitsOf(text);
        if (number === undefined) return;
        expect(number).toMatch(/^[1-9]\d{6,14}$/);
        expect(phoneDigitsOf(number)).toBe(number);
        expect(text.replace(/\D/g, "")).toBe(number);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["+55 (11) 98765-4321", "5511987654321"],
    ["(+55) 11 98765.4321", "5511987654321"],
    ["\u202A+49\u00A0151\u00A023456789\u202C", "4915123456789"],
    ["\uFEFF5511987654321@c.us ", "5511987654321"],
  ])("is read from %p", (text, number) => expect(phoneDigitsOf(text)).toBe(number));

  test.each([
    "",
    "+",
    "0151 23456789",
    "0049 151 23456789",
    "+44 (0) 20 7946 0000",
    "+55 (11 98765-4321",
    "+55 11) 98765-4321",
    "55+11987654321",
    "++5511987654321",
    "5511987654321x12",
    "5511987654321,5511987654322",
    "5511/98765/4321",
    "5511987654321:3@c.us",
    "5511987654321@lid",
    "tel:+5511987654321",
    "٥٥١١٩٨٧٦٥٤٣٢١",
    "123456",
    "1234567890123456",
  ])("is not %p", (text) => expect(phoneDigitsOf(text)).toBeUndefined());

  test("takes linear time", () => {
    const spent = cpuMs(() => {
      for (const unit of [" ", "(", "-+", "1", "\u200E"]) phoneDigitsOf(unit.repeat(5_000_000));
    });
    expect(spent).toBeLessThan(500);
  });
});

describe("the error of a refused number", () => {
  test("quotes the value and gives an accepted example", () => {
    const message = notAPhoneNumber("0151 23456789");
    expect(message).toContain('"0151 23456789"');
    const [example] = /\+[\d -]+/.exec(message) ?? [];
    expect(phoneDigitsOf(example!)).toBe("5511987654321");
  });

  test("stays short for a long value", () => {
    expect(notAPhoneNumber("9".repeat(100_000)).length).toBeLessThan(250);
  });
});
