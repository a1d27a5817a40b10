import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { createCipheriv, hkdfSync } from "node:crypto";
import { ada, bo, group, inGroup, incoming, me, onOwnPhone } from "../testing/incoming.ts";
import { incomingContent } from "./incoming.ts";
import type { Incoming } from "./incoming.ts";

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;
const hash = Buffer.alloc(32, 7);

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
