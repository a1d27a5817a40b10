import { describe, expect, test } from "bun:test";
import { envelopeOf } from "./decoder.ts";

const me = { id: "15550009999:3@s.whatsapp.net", lid: "777:3@lid" };

describe("the envelope of a broadcast list", () => {
  test.each([
    ["15550009999@s.whatsapp.net", true],
    ["777@lid", true],
    ["777:0@lid", true],
    ["888@lid", false],
  ])("written by %s", (participant, fromMe) => {
    const attrs = { id: "A1", from: "1700000000@broadcast", participant, t: "1700000000" };
    expect(envelopeOf({ tag: "message", attrs }, me).key.fromMe).toBe(fromMe);
  });
});
