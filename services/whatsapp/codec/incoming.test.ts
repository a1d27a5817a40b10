import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { ada, bo, group, inGroup, incoming, me, onOwnPhone } from "../testing/incoming.ts";
import { incomingContent } from "./incoming.ts";
import type { Incoming } from "./incoming.ts";

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;
const reaction = (key: proto.IMessageKey): proto.IMessage => ({ reactionMessage: { text: "👍", key } });

const hash = Buffer.alloc(32, 7);
const file = {
  mimetype: "image/jpeg",
  directPath: "/v/one?x=1",
  mediaKey: hash,
  fileSha256: hash,
  fileEncSha256: hash,
  fileLength: 9,
};

describe("incomingContent", () => {
  test.each<[string, proto.IMessageKey, Incoming, object]>([
    ["to the business's message", { id: "A", remoteJid: me, fromMe: false }, incoming(), { from_me: true }],
    ["to their own message", { id: "A", remoteJid: me, fromMe: true }, incoming(), { from_me: false }],
    ["by the business, to its message", { id: "A", remoteJid: ada, fromMe: true }, onOwnPhone, { from_me: true }],
    ["by the business, to their message", { id: "A", remoteJid: ada, fromMe: false }, onOwnPhone, { from_me: false }],
    [
      "in a group to the business",
      { id: "A", remoteJid: group, participant: me, fromMe: false },
      inGroup,
      { from_me: true },
    ],
    [
      "in a group to a third",
      { id: "A", remoteJid: group, participant: bo, fromMe: false },
      inGroup,
      { from_me: false, sender: bo },
    ],
    ["in a group to themselves", { id: "A", remoteJid: group, fromMe: true }, inGroup, { from_me: false, sender: ada }],
  ])("resolves the target of a reaction %s", (_, key, seen, expected) => {
    expect(incomingContent(reaction(key), seen)).toEqual({
      type: "reaction",
      emoji: "👍",
      target: { wa_message_id: "A", ...expected } as never,
    });
  });

  test("decodes a reply with its quote", () => {
    const contextInfo = { stanzaId: "Q1", participant: me, quotedMessage: { conversation: "coming?" } };
    const reply_to = { wa_message_id: "Q1", from_me: true, text: "coming?" };
    expect(incomingContent({ extendedTextMessage: { text: "yes", contextInfo } }, incoming())).toEqual({
      type: "text",
      text: "yes",
      reply_to,
    });
    expect(
      incomingContent({ locationMessage: { degreesLatitude: 1, degreesLongitude: 2, contextInfo } }, incoming()),
    ).toEqual({
      type: "location",
      latitude: 1,
      longitude: 2,
      reply_to,
    });
    expect(
      incomingContent(
        { extendedTextMessage: { text: "x", contextInfo: { stanzaId: "Q2", participant: bo } } },
        inGroup,
      ),
    ).toMatchObject({
      reply_to: { wa_message_id: "Q2", from_me: false, sender: bo },
    });
  });

  test("decodes edits and deletions in every wrapper", () => {
    const key = { id: "E1", remoteJid: me, fromMe: true };
    const edit = { protocolMessage: { type: MESSAGE_EDIT, key, editedMessage: { conversation: "better" } } };
    const expected = { type: "edit" as const, target: { wa_message_id: "E1", from_me: false }, text: "better" };
    expect(incomingContent(edit, incoming())).toEqual(expected);
    expect(incomingContent({ editedMessage: { message: edit } }, incoming())).toEqual(expected);
    expect(incomingContent({ protocolMessage: { type: REVOKE, key } }, incoming())).toEqual({
      type: "delete",
      target: expected.target,
    });
  });

  test.each<[string, proto.IMessage, object]>([
    [
      "buttons",
      { buttonsResponseMessage: { selectedButtonId: "b1", selectedDisplayText: "Yes" } },
      { text: "Yes", selection: "b1" },
    ],
    [
      "a list",
      { listResponseMessage: { title: "Pizza", singleSelectReply: { selectedRowId: "r2" } } },
      { text: "Pizza", selection: "r2" },
    ],
    [
      "a template",
      { templateButtonReplyMessage: { selectedId: "t3", selectedDisplayText: "Stop" } },
      { text: "Stop", selection: "t3" },
    ],
    [
      "a flow",
      {
        interactiveResponseMessage: {
          body: { text: "Book" },
          nativeFlowResponseMessage: { paramsJson: '{"id":"f4"}' },
        },
      },
      { text: "Book", selection: "f4" },
    ],
    [
      "a flow with broken parameters",
      { interactiveResponseMessage: { body: { text: "Book" }, nativeFlowResponseMessage: { paramsJson: "{" } } },
      { text: "Book" },
    ],
    ["buttons without words", { buttonsResponseMessage: { selectedButtonId: "b1" } }, { text: "b1", selection: "b1" }],
  ])("decodes an answer to %s as text", (_, message, expected) => {
    expect(incomingContent(message, incoming())).toEqual({ type: "text", ...expected } as never);
  });

  test.each<[string, proto.IMessage]>([
    ["templateMessage", { templateMessage: { interactiveMessageTemplate: { body: { text: "words" } } } }],
    ["groupInviteMessage", { groupInviteMessage: { groupName: "Team", caption: "words" } }],
    ["productMessage", { productMessage: { body: "words" } }],
    ["orderMessage", { orderMessage: { orderId: "1", message: "words" } }],
  ])("keeps the words of a %s", (kind, message) => {
    expect(incomingContent(message, incoming())).toEqual({ type: "unknown", kind, text: "words" });
  });

  test("shows the words of another business's list", () => {
    expect(incomingContent({ listMessage: { description: "Choose a dish" } }, incoming())).toEqual({
      type: "unknown",
      kind: "listMessage",
      text: "Choose a dish",
    });
  });

  test("decodes the pictures of an album", () => {
    const album = { associatedChildMessage: { message: { imageMessage: file } } };
    expect(incomingContent(album, incoming())).toMatchObject({ type: "image" });
    expect(incomingContent({ albumMessage: { expectedImageCount: 2 } }, incoming())).toBeUndefined();
  });

  test("decodes live locations and lists of contacts", () => {
    expect(
      incomingContent({ liveLocationMessage: { degreesLatitude: 1, degreesLongitude: 2 } }, incoming()),
    ).toMatchObject({
      type: "location",
      latitude: 1,
    });
    const contacts = [{ displayName: "Ada", vcard: "TEL;waid=15550001111:+1" }, { displayName: "Bo" }];
    expect(incomingContent({ contactsArrayMessage: { contacts } }, incoming())).toEqual({
      type: "contact",
      contacts: [
        { name: "Ada", phones: ["15550001111"] },
        { name: "Bo", phones: [] },
      ],
    });
  });

  test("keeps a vote that cannot be decrypted", () => {
    const vote = { encPayload: Buffer.alloc(40), encIv: Buffer.alloc(12) };
    const key = { id: "P1", remoteJid: me, fromMe: false };
    const poll = {
      messageContextInfo: { messageSecret: Buffer.alloc(32) },
      pollCreationMessage: { options: [{ optionName: "a" }] },
    };
    const message = { pollUpdateMessage: { pollCreationMessageKey: key, vote } };
    const unread = { type: "poll_vote" as const, target: { wa_message_id: "P1", from_me: true } };
    expect(incomingContent(message, incoming())).toEqual(unread);
    expect(incomingContent(message, incoming({ original: () => ({ message: poll, authors: [me] }) }))).toEqual(unread);
  });

  test("decodes malformed messages as far as possible", () => {
    expect(incomingContent({ reactionMessage: { text: "👍" } }, incoming())).toBeUndefined();
    expect(incomingContent({ protocolMessage: { type: REVOKE } }, incoming())).toBeUndefined();
    expect(incomingContent({ locationMessage: {} }, incoming())).toMatchObject({ latitude: 0, longitude: 0 });
    expect(incomingContent({ pollCreationMessage: {} }, incoming())).toMatchObject({ question: "", options: [] });
    expect(incomingContent({ contactMessage: {} }, incoming())).toMatchObject({ contacts: [{ name: "", phones: [] }] });
  });

  test.each<[string, proto.IMessage, string]>([
    ["a round video", { ptvMessage: { ...file, mimetype: "video/mp4" } }, "video"],
    ["a sticker", { stickerMessage: { ...file, mimetype: "image/webp" } }, "sticker"],
    ["a view-once picture", { viewOnceMessageV2: { message: { imageMessage: file } } }, "image"],
    [
      "a document with a caption",
      { documentWithCaptionMessage: { message: { documentMessage: { ...file, caption: "c" } } } },
      "document",
    ],
  ])("decodes %s with its file", (_, message, type) => {
    expect(incomingContent(message, incoming())).toMatchObject({
      type,
      media: { size: 9, pointer: { direct_path: "/v/one?x=1" } },
    });
  });
});
describe("a file that cannot be fetched", () => {
  test.each<[string, object]>([
    ["no key", { mediaKey: null }],
    ["a key that is too short", { mediaKey: Buffer.alloc(31) }],
    ["no hashes", { fileSha256: null, fileEncSha256: null }],
    ["no location", { directPath: null }],
    ["another host in its path", { directPath: "//elsewhere.example/x" }],
    ["a relative path", { directPath: "v/one" }],
    ["a negative length", { fileLength: -1 }],
  ])("keeps its message: %s", (_, fault) => {
    const read = incomingContent({ imageMessage: { ...file, caption: "look", ...fault } }, incoming());
    expect(read).toMatchObject({ type: "image", caption: "look", media: { mime: "image/jpeg", error: "unreadable" } });
    expect(JSON.stringify(read)).not.toContain("pointer");
  });
});
