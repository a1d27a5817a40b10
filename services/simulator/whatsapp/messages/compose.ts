import { proto } from "@whiskeysockets/baileys";
import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import { messageContent } from "../../../../lib/messages/index.ts";
import type { MessageContent, Quote, Reference } from "../../../../lib/messages/index.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { fileOf } from "../media/file.ts";
import type { Phone } from "../phones/phone.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";

/** A message that a phone can send: `{text}`, or a kind of lib/messages, with `from_me` from the phone's view. */
export const writable = z.preprocess(
  (body) => (typeof body === "object" && body !== null && !("type" in body) ? { type: "text", ...body } : body),
  messageContent.refine(
    (content) => content.type !== "text" || (content.text !== "" && content.text.length <= 65_536),
    {
      path: ["text"],
      message: "must be 1 to 65,536 characters",
    },
  ),
);

type Chat = {
  from: Phone;
  /** JID of the chat: a user or a group. */
  chat: string;
};

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;

/** Kinds that later changes cannot refer to: they carry no secret. */
const withoutSecret: ReadonlySet<string> = new Set(["reaction", "edit", "delete", "poll_vote"]);

/** Encodes a message as a phone does, with the secret under which phones seal changes and votes. */
export function compose(content: MessageContent, chat: Chat): proto.IMessage {
  const message = composed(content, chat);
  return withoutSecret.has(content.type)
    ? message
    : { ...message, messageContextInfo: { messageSecret: randomBytes(32) } };
}

function composed(content: MessageContent, { from, chat }: Chat): proto.IMessage {
  const keyOf = ({ wa_message_id, from_me, sender }: Reference): proto.IMessageKey => ({
    remoteJid: chat,
    id: wa_message_id,
    fromMe: from_me,
    ...(sender ? { participant: sender } : {}),
  });
  const contextInfo =
    "reply_to" in content && content.reply_to ? contextOf(content.reply_to, { from, chat }) : undefined;
  switch (content.type) {
    case "text":
      // Phones use the short form for a message that has nothing but text.
      return contextInfo
        ? { extendedTextMessage: { text: content.text, contextInfo } }
        : { conversation: content.text };
    case "image":
      return { imageMessage: { ...fileOf(content.media), caption: content.caption, contextInfo } };
    case "video":
      return {
        videoMessage: {
          ...fileOf(content.media),
          caption: content.caption,
          seconds: content.media.seconds,
          contextInfo,
        },
      };
    case "audio":
      return {
        audioMessage: { ...fileOf(content.media), ptt: content.voice, seconds: content.media.seconds, contextInfo },
      };
    case "sticker":
      return { stickerMessage: { ...fileOf(content.media), contextInfo } };
    case "document": {
      const documentMessage = {
        ...fileOf(content.media),
        fileName: content.file_name,
        caption: content.caption,
        contextInfo,
      };
      // Phones wrap a document that has a caption.
      return content.caption === undefined
        ? { documentMessage }
        : { documentWithCaptionMessage: { message: { documentMessage } } };
    }
    case "location": {
      const { latitude: degreesLatitude, longitude: degreesLongitude, name, address } = content;
      return { locationMessage: { degreesLatitude, degreesLongitude, name, address, contextInfo } };
    }
    case "contact": {
      const contacts = content.contacts.map(({ name, phones }) => ({
        displayName: name,
        vcard: vcardOf(name, phones),
      }));
      return contacts.length === 1
        ? { contactMessage: { ...contacts[0]!, contextInfo } }
        : { contactsArrayMessage: { contacts, contextInfo } };
    }
    case "poll": {
      const options = content.options.map((optionName) => ({ optionName }));
      return {
        pollCreationMessage: {
          name: content.question,
          options,
          selectableOptionsCount: content.max_choices,
          contextInfo,
        },
      };
    }
    case "poll_vote":
      return {
        pollUpdateMessage: {
          pollCreationMessageKey: keyOf(content.target),
          vote: encryptedVote(content, { from, chat }),
          senderTimestampMs: Date.now(),
        },
      };
    case "reaction":
      return { reactionMessage: { key: keyOf(content.target), text: content.emoji, senderTimestampMs: Date.now() } };
    case "edit":
      return {
        editedMessage: {
          message: {
            protocolMessage: {
              type: MESSAGE_EDIT,
              key: keyOf(content.target),
              editedMessage: content.poll
                ? {
                    pollCreationMessage: {
                      name: content.poll.question,
                      options: content.poll.options.map((optionName) => ({ optionName })),
                    },
                  }
                : { conversation: content.text },
            },
          },
        },
      };
    case "delete":
      return { protocolMessage: { type: REVOKE, key: keyOf(content.target) } };
    case "unavailable":
    case "unknown":
      return { orderMessage: { orderId: "1", message: "an unsupported kind" } };
  }
}

function contextOf(quote: Quote, { from, chat }: Chat): proto.IContextInfo {
  return {
    stanzaId: quote.wa_message_id,
    participant: quote.from_me ? phoneJid(from.phone) : (quote.sender ?? chat),
    quotedMessage: { conversation: quote.text ?? "" },
  };
}

const vcardOf = (name: string, phones: string[]) =>
  [
    "BEGIN:VCARD",
    "VERSION:3.0",
    `FN:${name}`,
    ...phones.map((phone) => `item1.TEL;waid=${phone}:+${phone}`),
    "END:VCARD",
  ].join("\r\n");

/** Encrypts a vote under a key derived from both JIDs and the poll's secret, which only recipients of the poll have. */
function encryptedVote(
  { target, options = [] }: Extract<MessageContent, { type: "poll_vote" }>,
  { from, chat }: Chat,
): proto.Message.IPollEncValue {
  const poll = from.screen.messages().find(({ id }) => id === target.wa_message_id);
  if (typeof poll?.["secret"] !== "string") throw new AppError("not_found", "The phone has no such poll.");
  const creator = target.from_me ? phoneJid(from.phone) : (target.sender ?? chat);
  const voter = from.naming === "number" ? phoneJid(from.phone) : lidJid(from.lid);
  const info = Buffer.concat([Buffer.from(`${target.wa_message_id}${creator}${voter}Poll Vote`), Buffer.from([1])]);
  const extracted = createHmac("sha256", Buffer.alloc(32)).update(Buffer.from(poll["secret"], "hex")).digest();
  const encIv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", createHmac("sha256", extracted).update(info).digest(), encIv);
  cipher.setAAD(Buffer.from(`${target.wa_message_id}\0${voter}`));
  const selectedOptions = options.map((option) => createHash("sha256").update(option).digest());
  const vote = proto.Message.PollVoteMessage.encode({ selectedOptions }).finish();
  return { encPayload: Buffer.concat([cipher.update(vote), cipher.final(), cipher.getAuthTag()]), encIv };
}
