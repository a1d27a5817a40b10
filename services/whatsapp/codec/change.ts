import { areJidsSameUser, isJidGroup, proto } from "@whiskeysockets/baileys";
import type { MessageContent, Reference } from "../../../lib/messages/index.ts";
import { promptIn } from "./choice.ts";
import type { Incoming } from "./incoming.ts";
import { referenceOf } from "./message_key.ts";
import { pollOf, secretOf } from "./original.ts";
import { editedContent, openSealed, useOf } from "./sealed.ts";
import { unwrapped } from "./unwrap.ts";

type Key = proto.IMessageKey | null | undefined;

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;

/** Of the protocol messages, only those that change a message, and only from those who may. */
export function changeOf(
  change: proto.Message.IProtocolMessage | null | undefined,
  incoming: Incoming,
): MessageContent | undefined {
  if (change?.type === REVOKE) {
    const own = ownTarget(change.key, incoming);
    if (own) return { type: "delete", target: own };
    const target = administered(change.key, incoming);
    return target && { type: "delete", target, by_administrator: true };
  }
  if (change?.type !== MESSAGE_EDIT) return undefined;
  const target = ownTarget(change.key, incoming);
  return target && editOf(target, change.editedMessage);
}

/**
 * An edit that is sealed under the secret of the message that it changes. Unknown if the secret is not known or does
 * not fit, and for other uses of the seal: anyone in the chat may add an option to a poll, for one.
 */
export function sealedChangeOf(
  sealed: proto.Message.ISecretEncryptedMessage,
  incoming: Incoming,
): MessageContent | undefined {
  const key = sealed.targetMessageKey;
  const use = useOf(sealed);
  const unopened = { type: "unknown", kind: "secretEncryptedMessage" } as const;
  if (use === undefined && sealed.secretEncType) return referenceOf(key, incoming) && unopened;
  const target = ownTarget(key, incoming);
  if (target === undefined) return undefined;
  const original = incoming.original(target.wa_message_id);
  const secret = original && secretOf(original.message);
  const { writer } = incoming.names;
  const plaintext =
    use && secret && openSealed(sealed, { use, secret, id: target.wa_message_id, authors: writer, writers: writer });
  const edited = plaintext && editedContent(plaintext);
  return edited ? editOf(target, edited) : unopened;
}

/** A reaction that is sealed under the secret of the message that it is about, as in announcement groups. */
export function sealedReactionOf(
  sealed: proto.Message.IEncReactionMessage,
  incoming: Incoming,
): MessageContent | undefined {
  const target = referenceOf(sealed.targetMessageKey, incoming);
  if (target === undefined) return undefined;
  const original = incoming.original(target.wa_message_id);
  const secret = original && secretOf(original.message);
  const id = target.wa_message_id;
  const { writer: writers } = incoming.names;
  const plaintext =
    original && secret && openSealed(sealed, { use: "Enc Reaction", secret, id, authors: original.authors, writers });
  try {
    if (plaintext) {
      const { text } = proto.Message.ReactionMessage.decode(plaintext);
      return { type: "reaction", target, emoji: text ?? "" };
    }
  } catch {
    // Its writer sealed something else.
  }
  return { type: "unknown", kind: "encReactionMessage" };
}

function editOf(target: Reference, edited: proto.IMessage | null | undefined): MessageContent {
  const { content } = unwrapped(edited ?? {});
  const poll = pollOf(content);
  if (poll) {
    const question = poll.name ?? "";
    const options = (poll.options ?? []).map(({ optionName }) => optionName ?? "");
    return { type: "edit", target, text: question, poll: { question, options } };
  }
  const text = content.conversation || content.extendedTextMessage?.text || captionOf(content) || promptIn(content);
  return { type: "edit", target, text: text ?? "" };
}

/** The target of a change by its own author. Undefined if somebody else wrote it. */
function ownTarget(key: Key, incoming: Incoming): Reference | undefined {
  const target = referenceOf(key, incoming);
  if (target === undefined) return undefined;
  if (incoming.fromMe) return target.from_me ? target : undefined;
  if (target.from_me) return undefined;
  const author = key?.participant;
  const named = !author || key?.fromMe === true || incoming.names.writer.some((name) => areJidsSameUser(name, author));
  // In a chat with one person there is no other author.
  return named || !isJidGroup(incoming.chat) ? target : undefined;
}

/** The target of a deletion by an administrator of the group: WhatsApp's server lets no one else mark a stanza so. */
function administered(key: Key, incoming: Incoming): Reference | undefined {
  return isJidGroup(incoming.chat) && incoming.isAdministrators ? referenceOf(key, incoming) : undefined;
}

export function captionOf(content: proto.IMessage | undefined): string | null | undefined {
  return content?.imageMessage?.caption ?? content?.videoMessage?.caption ?? content?.documentMessage?.caption;
}
