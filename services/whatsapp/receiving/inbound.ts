import { getContentType, normalizeMessageContent, proto } from "@whiskeysockets/baileys";
import type { WAMessageKey } from "@whiskeysockets/baileys";
import type { InboundData } from "../../../lib/shard-client/schemas.ts";
import { preferPhone } from "../jid.ts";

export type Received = {
  key: WAMessageKey;
  /** Unix seconds, WhatsApp's. */
  timestampS: number;
  pushName?: string | null | undefined;
  message: proto.IMessage;
};

type Content = { type: string; text?: string | null | undefined } & Record<string, unknown>;

/** What a message says, for the journal; undefined for what is between devices and not between people. */
export function inboundOf({ key, timestampS, pushName, message }: Received): InboundData | undefined {
  if (!key.id || !key.remoteJid) return undefined;
  const content = contentOf(message);
  if (content === undefined) return undefined;
  const chat = preferPhone(key.remoteJid, key.remoteJidAlt);
  return {
    wa_message_id: key.id,
    chat,
    sender: key.participant ? preferPhone(key.participant, key.participantAlt) : chat,
    from_me: key.fromMe === true,
    ...(pushName ? { push_name: pushName } : {}),
    timestamp: timestampS * 1000,
    ...content,
  };
}

function contentOf(message: proto.IMessage): Content | undefined {
  const content = normalizeMessageContent(message);
  const kind = getContentType(content);
  if (!content || !kind) return undefined;
  const quoted = quotedOf(content[kind]);
  const described = describe(content, kind);
  return described && quoted ? { ...described, reply_to: quoted } : described;
}

function describe(content: proto.IMessage, kind: keyof proto.IMessage): Content | undefined {
  switch (kind) {
    case "conversation":
      return { type: "text", text: content.conversation };
    case "extendedTextMessage":
      return { type: "text", text: content.extendedTextMessage?.text };
    case "imageMessage":
      return { type: "image", text: content.imageMessage?.caption, ...mediaOf(content.imageMessage) };
    case "videoMessage":
      return { type: "video", text: content.videoMessage?.caption, ...mediaOf(content.videoMessage) };
    case "audioMessage":
      return { type: "audio", voice: content.audioMessage?.ptt === true, ...mediaOf(content.audioMessage) };
    case "documentMessage":
      return {
        type: "document",
        text: content.documentMessage?.caption,
        file_name: content.documentMessage?.fileName,
        ...mediaOf(content.documentMessage),
      };
    case "stickerMessage":
      return { type: "sticker", ...mediaOf(content.stickerMessage) };
    case "locationMessage":
      return {
        type: "location",
        text: content.locationMessage?.name,
        latitude: content.locationMessage?.degreesLatitude,
        longitude: content.locationMessage?.degreesLongitude,
      };
    case "contactMessage":
      return { type: "contact", text: content.contactMessage?.displayName, vcard: content.contactMessage?.vcard };
    case "reactionMessage":
      return { type: "reaction", text: content.reactionMessage?.text, target: content.reactionMessage?.key?.id };
    case "pollCreationMessage":
    case "pollCreationMessageV2":
    case "pollCreationMessageV3": {
      const poll = content[kind];
      return { type: "poll", text: poll?.name, options: poll?.options?.map((option) => option.optionName) };
    }
    case "protocolMessage":
      return protocol(content.protocolMessage);
    case "senderKeyDistributionMessage":
    case "messageContextInfo":
      return undefined;
    default:
      return { type: "unsupported", kind };
  }
}

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;

/** Of what devices tell each other, only what changes a message. */
function protocol(message: proto.Message.IProtocolMessage | null | undefined): Content | undefined {
  if (message?.type === REVOKE && message.key?.id) return { type: "delete", target: message.key.id };
  if (message?.type === MESSAGE_EDIT && message.key?.id) {
    const edited = message.editedMessage ? contentOf(message.editedMessage) : undefined;
    return { type: "edit", text: edited?.text, target: message.key.id };
  }
  return undefined;
}

type Media = { mimetype?: string | null; fileLength?: unknown; fileSha256?: Uint8Array | null };

function mediaOf(media: Media | null | undefined): Record<string, unknown> {
  return {
    mime_type: media?.mimetype,
    size: media?.fileLength == null ? undefined : Number(media.fileLength),
    sha256: media?.fileSha256 ? Buffer.from(media.fileSha256).toString("hex") : undefined,
  };
}

function quotedOf(content: unknown): string | undefined {
  const { contextInfo } = (content ?? {}) as { contextInfo?: proto.IContextInfo | null };
  return contextInfo?.stanzaId ?? undefined;
}
