import { encodeWAMessage, normalizeMessageContent, proto, unpadRandomMax16 } from "@whiskeysockets/baileys";

/** What is under the encryption: the message, then 1 to 16 bytes of padding. */
export function pad(message: proto.IMessage): Buffer {
  return Buffer.from(encodeWAMessage(message));
}

export function unpad(plaintext: Uint8Array): proto.Message {
  return proto.Message.decode(unpadRandomMax16(plaintext));
}

/** What a phone makes of a message: its kind, and its text where it has one. */
export type Content = { type: string; text?: string };

export function contentOf(wrapped: proto.IMessage): Content {
  const message = normalizeMessageContent(wrapped) ?? wrapped;
  if (typeof message.conversation === "string" && message.conversation !== "") return { type: "text", text: message.conversation };
  if (message.extendedTextMessage) return { type: "text", text: message.extendedTextMessage.text ?? "" };
  const field = Object.keys(message).find((name) => name !== "messageContextInfo" && name !== "senderKeyDistributionMessage");
  if (field === undefined) return { type: "empty" };
  const value = message[field as keyof proto.IMessage];
  const caption = typeof value === "object" && value !== null && "caption" in value ? value.caption : undefined;
  const type = field.replace(/Message$/, "");
  return typeof caption === "string" ? { type, text: caption } : { type };
}
