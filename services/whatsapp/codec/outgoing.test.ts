import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import type { OutboundContent } from "../../../lib/messages/index.ts";
import { incomingContent } from "./incoming.ts";
import { isNonDeterministic, outgoingMessage, stanzaOptions } from "./outgoing.ts";

const own = { phone: "15550009999@s.whatsapp.net", lid: "777@lid" };
const ada = "15550001111@s.whatsapp.net";
const group = "120363000000000001@g.us";
const target = { wa_message_id: "3EB0A", from_me: true };
const theirs = { wa_message_id: "3A01", from_me: false };

const bytes = (fill: number) => Buffer.alloc(32, fill).toString("base64");
const pointer = {
  direct_path: "/v/t62.7118-24/one?ccb=1&oh=2",
  media_key: bytes(1),
  file_sha256: bytes(2),
  file_enc_sha256: bytes(3),
  file_length: 1_234,
  media_key_at: 1_700_000_000,
};
const file = { mime: "image/jpeg", size: 1_234, pointer };

const contents: OutboundContent[] = [
  { type: "text", text: "hello" },
  { type: "text", text: "yes", reply_to: { ...theirs, text: "coming?" } },
  {
    type: "image",
    media: { ...file, width: 640, height: 480 },
    caption: "look",
    reply_to: { ...theirs, text: "what?" },
  },
  { type: "video", media: { ...file, mime: "video/mp4", seconds: 7 } },
  { type: "audio", media: { ...file, mime: "audio/ogg", seconds: 3 }, voice: true },
  { type: "audio", media: { ...file, mime: "audio/mpeg" }, voice: false, reply_to: theirs },
  { type: "document", media: { ...file, mime: "application/pdf" }, file_name: "menu.pdf", caption: "the menu" },
  {
    type: "location",
    latitude: 52.5,
    longitude: 13.4,
    name: "Office",
    address: "1, Main Street",
    reply_to: { ...target, text: "where?" },
  },
  { type: "contact", contacts: [{ name: "Ada", phones: ["15550001111"] }] },
  {
    type: "contact",
    contacts: [
      { name: "Ada", phones: ["15550001111"] },
      { name: "Bo", phones: [] },
    ],
    reply_to: theirs,
  },
  { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1, reply_to: theirs },
  { type: "poll", question: "Which?", options: ["a", "b", "c"], max_choices: 0 },
  { type: "reaction", target: theirs, emoji: "👍" },
  { type: "edit", target, text: "hullo" },
  { type: "delete", target },
];

describe("outgoing content", () => {
  test.each(contents)("decodes to the same content: %j", (content) => {
    const sent = proto.Message.decode(proto.Message.encode(outgoingMessage(content, ada, own)).finish());
    const read = incomingContent(sent, {
      chat: ada,
      writer: own.phone,
      fromMe: true,
      isOwn: (jid) => jid === own.phone,
      chatOf: (jid) => jid,
      original: () => undefined,
      isAdministrators: false,
      names: { writer: [own.phone] },
    });
    expect(read).toEqual(content);
  });

  test("quotes the business by LID in LID chats", () => {
    const answered = (chat: string) =>
      outgoingMessage({ type: "text", text: "x", reply_to: target }, chat, own).extendedTextMessage?.contextInfo
        ?.participant;
    expect([answered(ada), answered(group), answered("888@lid")]).toEqual([own.phone, own.phone, own.lid]);
  });

  test("names the writer of a group member's message", () => {
    const key = (from_me: boolean) =>
      outgoingMessage({ type: "delete", target: { wa_message_id: "A", from_me, sender: ada } }, group, own)
        .protocolMessage?.key;
    expect(key(false)).toEqual({ remoteJid: group, id: "A", fromMe: false, participant: ada });
    expect(key(true)).toEqual({ remoteJid: group, id: "A", fromMe: true });
  });

  test("declares edits, deletions and polls in the stanza", () => {
    const options = (content: OutboundContent) => stanzaOptions(outgoingMessage(content, group, own));
    expect(options({ type: "edit", target, text: "x" })).toEqual({ additionalAttributes: { edit: "1" } });
    expect(options({ type: "delete", target })).toEqual({ additionalAttributes: { edit: "7" } });
    expect(options({ type: "delete", target: theirs })).toEqual({ additionalAttributes: { edit: "8" } });
    expect(options(contents.find(({ type }) => type === "poll")!)).toEqual({
      additionalNodes: [{ tag: "meta", attrs: { polltype: "creation" } }],
    });
    expect(options({ type: "text", text: "x" })).toEqual({});
  });

  test("carries the preview, and requires an uploaded file", () => {
    const preview = Buffer.from("a tiny jpeg").toString("base64");
    const { imageMessage } = outgoingMessage({ type: "image", media: { ...file, preview } }, ada, own);
    expect(Buffer.from(imageMessage!.jpegThumbnail!).toString()).toBe("a tiny jpeg");
    expect(() => outgoingMessage({ type: "image", media: { mime: "image/jpeg" } }, ada, own)).toThrow("media host");
  });

  test("is deterministic unless it has a secret", () => {
    const bytes = (content: OutboundContent) =>
      Buffer.from(proto.Message.encode(outgoingMessage(content, ada, own)).finish()).toString("hex");
    const timed = new Set(["reaction", "edit"]);
    for (const content of contents.filter(({ type }) => !timed.has(type))) {
      expect(bytes(content) === bytes(content)).toBe(!isNonDeterministic(content));
    }
  });
});
