import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { noAccountNames } from "../accounts/account_book.ts";
import { decodePlaintext, envelopeOf } from "./decoder.ts";

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

describe("content that the phone resends", () => {
  const { Type } = proto.Message.ProtocolMessage;
  const phone = "15550001111@s.whatsapp.net";
  const answer = (remoteJid: string) => {
    const stored = {
      key: { id: "A1", remoteJid },
      message: { conversation: "hello" },
      messageTimestamp: 1_700_000_000,
    };
    const webMessageInfoBytes = proto.WebMessageInfo.encode(stored).finish();
    const result = [{ placeholderMessageResendResponse: { webMessageInfoBytes } }];
    const protocolMessage = {
      type: Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
      peerDataOperationRequestResponseMessage: { peerDataOperationResult: result },
    };
    return Uint8Array.from([...proto.Message.encode({ protocolMessage }).finish(), 1]);
  };
  const decode = (remoteJid: string) => {
    const attrs = { id: "P1", from: "15550009999@s.whatsapp.net", category: "peer", t: "1700000100" };
    const key = { id: "A1", remoteJid: "888@lid", fromMe: false };
    const missing = { id: "A1", key, at: 1_700_000_000, asked: 1, since: 0, reported: false };
    return decodePlaintext({ tag: "message", attrs }, answer(remoteJid), {
      me,
      accounts: noAccountNames,
      original: () => undefined,
      placeholder: () => ({ ...missing, reason: "not_resent" }),
      onTimer: () => {},
      onHistory: () => {},
      onStatus: () => {},
    });
  };

  test("reveals the number of its chat", () => {
    const { messages, filled } = decode(phone);
    expect(messages).toMatchObject([
      { data: { chat: phone, sender: phone, names: [{ alias: "888@lid", chat: phone }] } },
    ]);
    expect(filled).toEqual(["A1"]);
  });

  test("without a number stays under its LID", () => {
    expect(decode("888@lid").messages).toMatchObject([{ data: { chat: "888@lid", sender: "888@lid" } }]);
  });
});

describe("a placeholder of a group's member", () => {
  const group = "120363000000000001@g.us";
  const missing = {
    id: "A1",
    key: { id: "A1", remoteJid: group, participant: "888@lid", fromMe: false },
    at: 1_700_000_000,
    asked: 0,
    reason: "undecryptable" as const,
    since: 0,
    reported: false,
  };
  const phone = "15550001111@s.whatsapp.net";
  const content = proto.Message.encode({ conversation: "hello" }).finish();
  const plaintext = Uint8Array.from([...content, 1]);

  test.each([
    ["888@lid", ["A1"]],
    ["888:4@lid", ["A1"]],
    [phone, ["A1"]],
    ["999@lid", []],
  ])("is filled by that member only: %s", (participant, filled) => {
    const attrs = { id: "A1", from: group, participant, t: "1700000100" };
    const options = {
      me,
      accounts: {
        chatOf: (jid: string) => (jid.startsWith("888") ? phone : jid),
        namesOf: (jid: string) => (jid.startsWith("888") || jid === phone ? [phone, "888@lid"] : [jid]),
      },
      original: () => undefined,
      placeholder: (id: string) => (id === "A1" ? missing : undefined),
      onTimer: () => {},
      onStatus: () => {},
      onHistory: () => {},
    };
    expect(decodePlaintext({ tag: "message", attrs }, plaintext, options).filled).toEqual(filled);
  });
});
