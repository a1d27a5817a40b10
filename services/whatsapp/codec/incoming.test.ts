import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { createCipheriv, hkdfSync } from "node:crypto";
import { incomingContent } from "./incoming.ts";
import type { Incoming } from "./incoming.ts";

const me = "15550009999@s.whatsapp.net";
const ada = "15550001111@s.whatsapp.net";
const bo = "15550002222@s.whatsapp.net";
const group = "120363000000000001@g.us";

const incoming = (more: Partial<Incoming> = {}): Incoming => ({
  chat: ada,
  writer: ada,
  fromMe: false,
  isOwn: (jid) => jid === me,
  chatOf: (jid) => jid,
  original: () => undefined,
  isAdministrators: false,
  names: { writer: [ada] },
  ...more,
});
const inGroup = incoming({ chat: group });
const onOwnPhone = incoming({ writer: me, fromMe: true });

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

describe("changes", () => {
  const edit = (key: proto.IMessageKey): proto.IMessage => ({
    protocolMessage: { type: MESSAGE_EDIT, key, editedMessage: { conversation: "forged" } },
  });
  const remove = (key: proto.IMessageKey): proto.IMessage => ({ protocolMessage: { type: REVOKE, key } });

  test.each<[string, proto.IMessageKey, Incoming]>([
    ["of the business's message", { id: "A", remoteJid: me, fromMe: false }, incoming()],
    ["of another member's message", { id: "A", remoteJid: group, participant: bo, fromMe: false }, inGroup],
    ["of the business's message in a group", { id: "A", remoteJid: group, participant: me, fromMe: false }, inGroup],
    ["by the business, of a contact's message", { id: "A", remoteJid: ada, fromMe: false }, onOwnPhone],
  ])("of others are ignored: %s", (_, key, seen) => {
    expect(incomingContent(edit(key), seen)).toBeUndefined();
    expect(incomingContent(remove(key), seen)).toBeUndefined();
    const sealed = { secretEncryptedMessage: { targetMessageKey: key, encPayload: hash, encIv: hash } };
    expect(incomingContent(sealed, seen)).toBeUndefined();
  });

  test("by a group's administrator delete any message", () => {
    const key = { id: "A", remoteJid: group, participant: bo, fromMe: false };
    const seen = { ...inGroup, isAdministrators: true };
    expect(incomingContent(remove(key), seen)).toMatchObject({ type: "delete", target: { sender: bo } });
    expect(incomingContent(edit(key), seen)).toBeUndefined();
    const ours = { id: "A", remoteJid: me, fromMe: false };
    expect(incomingContent(remove(ours), incoming({ isAdministrators: true }))).toBeUndefined();
  });

  test("of a member's own message apply under either name", () => {
    const lid = "777@lid";
    const seen = incoming({ chat: group, writer: ada, names: { writer: [lid, ada] } });
    for (const participant of [ada, lid]) {
      const key = { id: "A", remoteJid: group, participant, fromMe: false };
      expect(incomingContent(edit(key), seen)).toMatchObject({ type: "edit", text: "forged" });
    }
  });
});

describe("sealed changes", () => {
  const secret = Buffer.alloc(32, 3);
  const [editor, lid] = [ada, "777@lid"];
  const key = { id: "E1", remoteJid: me, fromMe: true };

  function sealed(message: proto.IMessage, use: string, names = [editor, editor]): proto.IMessage {
    const encIv = Buffer.alloc(12, 5);
    const info = `E1${names.join("")}${use}`;
    const cipher = createCipheriv("aes-256-gcm", new Uint8Array(hkdfSync("sha256", secret, "", info, 32)), encIv);
    const plain = proto.Message.encode(message).finish();
    const encPayload = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const secretEncType = { "Event Edit": 1, "Poll Edit": 4, "Poll Add Option": 5 }[use] ?? 2;
    return {
      // From an object, because Baileys' type lacks the value of polls.
      secretEncryptedMessage: proto.Message.SecretEncryptedMessage.fromObject({
        targetMessageKey: key,
        encPayload,
        encIv,
        secretEncType,
      }),
    };
  }
  const seen = incoming({
    names: { writer: [editor, lid] },
    original: (id) =>
      id === "E1" ? { message: { messageContextInfo: { messageSecret: secret } }, authors: [editor] } : undefined,
  });
  const target = { wa_message_id: "E1", from_me: false };

  test.each([
    ["number", [editor, editor]],
    ["LID", [lid, lid]],
    ["both", [lid, editor]],
  ])("open under the writer's %s", (_, names) => {
    const expected = { type: "edit" as const, target, text: "better" };
    expect(incomingContent(sealed({ conversation: "better" }, "Message Edit", names), seen)).toEqual(expected);
    const wrapped = { protocolMessage: { type: MESSAGE_EDIT, key, editedMessage: { conversation: "better" } } };
    expect(incomingContent(sealed(wrapped, "Message Edit", names), seen)).toEqual(expected);
  });

  test("of polls have the new question and options", () => {
    const poll = { pollCreationMessage: { name: "When now?", options: [{ optionName: "today" }] } };
    expect(incomingContent(sealed(poll, "Poll Edit"), seen)).toEqual({
      type: "edit",
      target,
      text: "When now?",
      poll: { question: "When now?", options: ["today"] },
    });
  });

  test("of calendar events have their name and description", () => {
    const eventMessage = { name: "Wine tasting", description: "At the cellar" };
    expect(incomingContent({ eventMessage }, seen)).toMatchObject({ text: "Wine tasting\nAt the cellar" });
    const text = "Wine tasting\nAt the cellar";
    expect(incomingContent(sealed({ eventMessage }, "Event Edit"), seen)).toEqual({ type: "edit", target, text });
  });

  test("of an unknown use are kept from any member", () => {
    const unknown = { type: "unknown" as const, kind: "secretEncryptedMessage" };
    const { secretEncryptedMessage } = sealed({ conversation: "later" }, "Poll Add Option");
    const of = (targetKey: proto.IMessageKey) => {
      const message = { secretEncryptedMessage: { ...secretEncryptedMessage, targetMessageKey: targetKey } };
      return incomingContent(message, incoming({ chat: group, writer: bo }));
    };
    const written = { id: "E1", remoteJid: group, participant: ada, fromMe: false };
    expect(of(written)).toEqual(unknown);
    expect(of({ ...written, id: "" })).toBeUndefined();
  });

  test("stay unknown without the right secret", () => {
    const unknown = { type: "unknown" as const, kind: "secretEncryptedMessage" };
    const message = sealed({ conversation: "better" }, "Message Edit");
    expect(incomingContent(message, incoming())).toEqual(unknown);
    expect(incomingContent(sealed({ conversation: "x" }, "Message Edit", [bo, editor]), seen)).toEqual(unknown);
    const empty = { ...message.secretEncryptedMessage, encPayload: null };
    expect(incomingContent({ secretEncryptedMessage: empty }, seen)).toEqual(unknown);
  });
});
