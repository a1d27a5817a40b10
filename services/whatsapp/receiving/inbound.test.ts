import { expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { inboundOf } from "./inbound.ts";
import type { Received } from "./inbound.ts";

const received = (message: Received["message"], key: Partial<Received["key"]> = {}): Received => ({
  key: { remoteJid: "4915112345678@s.whatsapp.net", id: "A1", fromMe: false, ...key },
  timestampS: 1_700_000_000,
  pushName: "Ada",
  message,
  own: ["15550009999@s.whatsapp.net", "777@lid"],
  sentMessage: () => undefined,
});

const { HISTORY_SYNC_NOTIFICATION } = proto.Message.ProtocolMessage.Type;

test("a text is a text, in whichever of WhatsApp's two forms and however wrapped", () => {
  const expected = {
    wa_message_id: "A1",
    chat: "4915112345678@s.whatsapp.net",
    sender: "4915112345678@s.whatsapp.net",
    from_me: false,
    push_name: "Ada",
    timestamp: 1_700_000_000_000,
    type: "text",
    text: "hello",
    content: null,
  };
  expect(inboundOf(received({ conversation: "hello" }))).toEqual(expected);
  expect(inboundOf(received({ extendedTextMessage: { text: "hello" } }))).toEqual(expected);
  expect(inboundOf(received({ ephemeralMessage: { message: { conversation: "hello" } } }))).toEqual(expected);
});

test("a person known by both names goes by the phone number, without the device", () => {
  const data = inboundOf(received({ conversation: "x" }, { remoteJid: "8812:3@lid", remoteJidAlt: "4915112345678@s.whatsapp.net" }));
  expect(data?.chat).toBe("4915112345678@s.whatsapp.net");
  expect(inboundOf(received({ conversation: "x" }, { remoteJid: "8812:3@lid" }))?.chat).toBe("8812@lid");
});

test("in a group the sender is the member who wrote", () => {
  const data = inboundOf(
    received({ conversation: "x" }, { remoteJid: "123@g.us", participant: "9@lid", participantAlt: "4915@s.whatsapp.net" }),
  );
  expect(data).toMatchObject({ chat: "123@g.us", sender: "4915@s.whatsapp.net" });
});

test("what devices say to each other is not a message, and an unknown kind is kept as such", () => {
  expect(inboundOf(received({ protocolMessage: { type: HISTORY_SYNC_NOTIFICATION } }))).toBeUndefined();
  expect(inboundOf(received({ senderKeyDistributionMessage: { groupId: "g" } }))).toBeUndefined();
  expect(inboundOf(received({}))).toBeUndefined();
  expect(inboundOf(received({ orderMessage: { orderId: "1" } }))).toMatchObject({
    type: "unknown",
    text: null,
    content: { type: "unknown", kind: "orderMessage" },
  });
});
