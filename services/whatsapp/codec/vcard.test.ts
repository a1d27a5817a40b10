import { describe, expect, test } from "bun:test";
import { phonesOf, vcardOf } from "./vcard.ts";

describe("vcards", () => {
  test("are read as written, with any name", () => {
    const vcard = vcardOf({ name: "Ada; Lovelace,\nCountess", phones: ["15550001111", "+49 30 1234"] });
    expect(vcard).toContain(String.raw`FN:Ada\; Lovelace\,\nCountess`);
    expect(vcard.split("\n")).toHaveLength(7);
    expect(phonesOf(vcard)).toEqual(["15550001111", "+49 30 1234"]);
  });

  test("of phones: numbers grouped, folded, with and without id", () => {
    const vcard = [
      "BEGIN:VCARD",
      "item1.TEL;waid=15550001111:+1 555 000-1111",
      "item1.X-ABLabel:Mobile",
      "TEL;type=HOME:030/123",
      " 456",
      "NOTE:TEL me",
      "END:VCARD",
    ].join("\r\n");
    expect(phonesOf(vcard)).toEqual(["15550001111", "030/123456"]);
    expect(phonesOf("no card at all")).toEqual([]);
  });
});
