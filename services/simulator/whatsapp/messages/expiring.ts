import type { proto } from "@whiskeysockets/baileys";

/** A message of a chat whose messages disappear after some seconds. Phones send texts in their long form there. */
export function expiring(message: proto.IMessage, seconds: number | undefined): proto.IMessage {
  if (seconds === undefined) return message;
  const { conversation, ...rest } = message;
  const content: proto.IMessage = conversation ? { ...rest, extendedTextMessage: { text: conversation } } : message;
  return Object.fromEntries(
    Object.entries(content).map(([kind, value]) =>
      kind.endsWith("Message") && typeof value === "object" && value !== null
        ? [kind, { ...value, contextInfo: { ...contextOf(value), expiration: seconds } }]
        : [kind, value],
    ),
  );
}

/** The seconds after which a received message disappears; undefined if it stays. */
export function expirationOf(content: unknown): number | undefined {
  const seconds = contextOf(content).expiration;
  return seconds ? seconds : undefined;
}

const contextOf = (content: unknown): proto.IContextInfo =>
  (content as { contextInfo?: proto.IContextInfo | null } | null)?.contextInfo ?? {};
