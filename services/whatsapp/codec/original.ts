import { proto } from "@whiskeysockets/baileys";

/** An earlier message, as far as later changes, reactions and votes need it. */
export type Original = {
  message: proto.IMessage;
  /** The JIDs of its author, phone number and LID: keys are derived from one of them. */
  authors: string[];
};

/** Senders create secrets; phones' have 32 bytes. */
const maxSecretBytes = 64;
/** A poll of 12 options of 100 characters has a tenth. */
const maxBytes = 16_384;

export const secretOf = ({ messageContextInfo }: proto.IMessage): Uint8Array | undefined => {
  const secret = messageContextInfo?.messageSecret;
  return secret && secret.length > 0 && secret.length <= maxSecretBytes ? secret : undefined;
};

export const pollOf = (message: proto.IMessage) =>
  message.pollCreationMessage ??
  message.pollCreationMessageV2 ??
  message.pollCreationMessageV3 ??
  message.pollCreationMessageV5;

/** Reduces a message to its secret and to the question and options of a poll. Undefined if it has no secret. */
export function keptOf(outer: proto.IMessage, content: proto.IMessage): Uint8Array | undefined {
  const messageSecret = secretOf(outer) ?? secretOf(content);
  if (messageSecret === undefined) return undefined;
  const { name, options } = pollOf(content) ?? {};
  const kept = proto.Message.encode({
    messageContextInfo: { messageSecret },
    ...(options ? { pollCreationMessage: { name: name ?? null, options } } : {}),
  }).finish();
  return kept.length <= maxBytes ? kept : undefined;
}
