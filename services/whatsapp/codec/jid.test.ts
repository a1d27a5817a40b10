import { describe, expect, test } from "bun:test";
import { chatOf, isJid, preferPhone } from "./jid.ts";

describe("a recipient's name", () => {
  test.each([
    "0151123456",
    "0049151123456@s.whatsapp.net",
    "0@s.whatsapp.net",
    "x@s.whatsapp.net",
    `${"1".repeat(26)}@lid`,
    "1@broadcast",
  ])("refuses %s", (to) => {
    expect(isJid(to)).toBeFalse();
    expect(() => chatOf(to)).toThrow("must be 7 to 15 digits");
  });

  test("takes numbers and JIDs", () => {
    expect(chatOf("49151123456")).toBe("49151123456@s.whatsapp.net");
    for (const jid of ["49151123456@s.whatsapp.net", "777@lid", "49151123456-1400000000@g.us"])
      expect(chatOf(jid)).toBe(jid);
  });

  test("is the same for a hosted account", () => {
    expect(preferPhone("49151123456:99@hosted", undefined)).toBe("49151123456@s.whatsapp.net");
    expect(preferPhone("777:99@hosted.lid", undefined)).toBe("777@lid");
  });
});
