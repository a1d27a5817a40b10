import { describe, expect, test } from "bun:test";
import { nameRecipientOnly } from "./addressing.ts";

const own = ["15550000001@s.whatsapp.net", "1@lid"];
const attributes = (attrs: Record<string, string>) => {
  const stanza = { tag: "message", attrs: { ...attrs } };
  nameRecipientOnly(stanza, own);
  return stanza.attrs;
};

describe("the stanza of an own message", () => {
  test("names the recipient's number beside its LID", () => {
    const sent = { from: "1:4@lid", recipient: "7@lid", sender_pn: own[0]!, peer_recipient_pn: "155@s.whatsapp.net" };
    expect(attributes(sent)).toEqual({
      from: "1:4@lid",
      recipient: "7@lid",
      peer_recipient_pn: "155@s.whatsapp.net",
      addressing_mode: "lid",
    });
  });

  test("names no number if WhatsApp names the sender's alone", () => {
    const sent = { from: own[0]!, recipient: "7@lid", sender_pn: own[0]!, sender_lid: "1@lid" };
    expect(attributes(sent)).toEqual({ from: own[0]!, recipient: "7@lid", addressing_mode: "lid" });
  });

  test("names the recipient's LID beside its number", () => {
    const sent = { from: own[0]!, recipient: "155@s.whatsapp.net", sender_lid: "1@lid", recipient_lid: "7@lid" };
    expect(attributes(sent)).toEqual({
      from: own[0]!,
      recipient: "155@s.whatsapp.net",
      peer_recipient_lid: "7@lid",
      addressing_mode: "pn",
    });
  });
});

test.each<Record<string, string>>([
  { from: "155@s.whatsapp.net", sender_lid: "7@lid" },
  { from: "155@s.whatsapp.net", recipient: "7@lid", sender_pn: "155@s.whatsapp.net" },
  { from: "1@lid", sender_pn: own[0]! },
])("leaves other stanzas alone: %p", (attrs) => expect(attributes(attrs)).toEqual(attrs));
