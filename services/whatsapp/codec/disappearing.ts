import { normalizeMessageContent, proto } from "@whiskeysockets/baileys";

const { EPHEMERAL_SETTING } = proto.Message.ProtocolMessage.Type;

/** Kinds of content that carry a chat's timer. */
const timed = [
  "extendedTextMessage",
  "imageMessage",
  "videoMessage",
  "audioMessage",
  "documentMessage",
  "stickerMessage",
  "locationMessage",
  "contactMessage",
  "contactsArrayMessage",
  "pollCreationMessage",
  "pollCreationMessageV3",
] as const satisfies (keyof proto.IMessage)[];

/** The longest timer that WhatsApp offers is 90 days. */
const maxSeconds = 366 * 86_400;

/**
 * The timer of a chat's disappearing messages that a message of the chat shows, in seconds; 0: they stay. Undefined if
 * the message shows none.
 */
export function timerIn(message: proto.IMessage): number | undefined {
  const content = normalizeMessageContent(message) ?? message;
  const { protocolMessage } = content;
  if (protocolMessage?.type === EPHEMERAL_SETTING) return secondsOf(protocolMessage.ephemeralExpiration);
  // Phones use the short form for a text outside of a disappearing chat only.
  if (content.conversation) return isOfBot(message) || isOfBot(content) ? undefined : 0;
  const kind = timed.find((name) => content[name] != null);
  return kind === undefined ? undefined : secondsOf(content[kind]?.contextInfo?.expiration);
}

/** Bots use the short form everywhere. */
const isOfBot = ({ messageContextInfo }: proto.IMessage) =>
  messageContextInfo?.botMetadata != null || messageContextInfo?.botMessageSecret != null;

/** Gives a message the timer of its chat. Without it the recipient's phone warns that the message will stay. */
export function withTimer(message: proto.IMessage, seconds: number): proto.IMessage {
  if (seconds === 0) return message;
  const kind = timed.find((name) => message[name] != null);
  if (kind === undefined) return message;
  const content = message[kind]!;
  return { ...message, [kind]: { ...content, contextInfo: { ...content.contextInfo, expiration: seconds } } };
}

function secondsOf(value: number | null | undefined): number {
  return value != null && value > 0 && value <= maxSeconds ? value : 0;
}
