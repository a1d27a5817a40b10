import { describe, expect, test } from "bun:test";
import { chat } from "./chat.ts";

describe("a chat", () => {
  test.each(["0049151123456@s.whatsapp.net", "049151123456", "0123456789@lid", "0120363000000000001@g.us"])(
    "refuses %s for its leading zero",
    (to) => expect(chat.safeParse(to).success).toBeFalse(),
  );

  test.each([
    ["+49151123456", "49151123456@s.whatsapp.net"],
    ["\u202A+49 (151)\u00A0123-456\u202C", "49151123456@s.whatsapp.net"],
    ["49151123456@c.us", "49151123456@s.whatsapp.net"],
    ["120363000000000001@g.us", "120363000000000001@g.us"],
    ["49151123456-1400000000@g.us", "49151123456-1400000000@g.us"],
  ])("takes %s", (to, jid) => expect(chat.parse(to)).toBe(jid));
});
