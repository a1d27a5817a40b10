import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { timerIn, withTimer } from "./disappearing.ts";

const { EPHEMERAL_SETTING, REVOKE } = proto.Message.ProtocolMessage.Type;

describe("the timer of a chat", () => {
  test.each([
    [{ conversation: "hi" }, 0],
    [{ conversation: "hi", messageContextInfo: { botMetadata: {} } }, undefined],
    [{ conversation: "hi", messageContextInfo: { messageSecret: Buffer.alloc(32) } }, 0],
    [{ extendedTextMessage: { text: "hi" } }, 0],
    [{ extendedTextMessage: { text: "hi", contextInfo: { expiration: 86_400 } } }, 86_400],
    [{ ephemeralMessage: { message: { imageMessage: { contextInfo: { expiration: 604_800 } } } } }, 604_800],
    [{ protocolMessage: { type: EPHEMERAL_SETTING, ephemeralExpiration: 7_776_000 } }, 7_776_000],
    [{ protocolMessage: { type: EPHEMERAL_SETTING, ephemeralExpiration: 0 } }, 0],
    [{ protocolMessage: { type: REVOKE } }, undefined],
    [{ reactionMessage: { text: "+" } }, undefined],
    [{ extendedTextMessage: { text: "hi", contextInfo: { expiration: 4_000_000_000 } } }, 0],
  ] as [proto.IMessage, number | undefined][])("is read from %j", (message, seconds) => {
    expect(timerIn(message)).toBe(seconds as number);
  });

  test("is added to a message beside its quote", () => {
    const message = { extendedTextMessage: { text: "hi", contextInfo: { stanzaId: "A" } } };
    expect(withTimer(message, 60)).toEqual({
      extendedTextMessage: { text: "hi", contextInfo: { stanzaId: "A", expiration: 60 } },
    });
    expect(withTimer(message, 0)).toBe(message);
    const reaction = { reactionMessage: { text: "+" } };
    expect(withTimer(reaction, 60)).toBe(reaction);
  });
});
