import {
  areJidsSameUser,
  isJidBroadcast,
  isJidStatusBroadcast,
  isHostedLidUser,
  isHostedPnUser,
  isJidGroup,
  isLidUser,
  isPnUser,
  jidNormalizedUser,
} from "@whiskeysockets/baileys";
import type { proto, WAMessageKey } from "@whiskeysockets/baileys";
import { storedContent } from "../../../lib/messages/index.ts";
import type { MessageContent } from "../../../lib/messages/index.ts";
import type { AccountName, InboundData } from "../../../lib/contracts/shard/schemas.ts";
import type { AccountNames } from "../accounts/account_book.ts";
import { isJid, preferPhone } from "../codec/jid.ts";
import { truncate, maxText } from "../codec/bounds.ts";
import { incomingContent } from "../codec/incoming.ts";
import type { Incoming } from "../codec/incoming.ts";
import type { Original } from "../codec/original.ts";
import { parentOfRendition } from "../codec/rendition.ts";
import { unknownFieldIn } from "../codec/unknown_fields.ts";

/**
 * True if a message belongs to a chat. Statuses and channels do not. Neither does a list that the business wrote to on
 * its phone, because companions do not learn its recipients.
 */
export const belongsToChat = ({ remoteJid, participant, fromMe }: WAMessageKey): boolean =>
  isConversation(remoteJid) || (isList(remoteJid) && Boolean(participant) && fromMe !== true);

const isList = (chat: string | null | undefined): boolean =>
  isJidBroadcast(chat ?? undefined) === true && !isJidStatusBroadcast(chat ?? "");

/** A chat with one person, or a group. */
const isConversation = (chat: string | null | undefined): boolean =>
  isPnUser(chat ?? undefined) === true ||
  isLidUser(chat ?? undefined) === true ||
  isHostedPnUser(chat ?? undefined) === true ||
  isHostedLidUser(chat ?? undefined) === true ||
  isJidGroup(chat ?? undefined) === true;

export type Received = {
  accounts: AccountNames;
  key: WAMessageKey;
  /** WhatsApp's time, Unix seconds. */
  timestampS: number;
  pushName?: string | null | undefined;
  message: proto.IMessage;
  /** The message around `message`. */
  outer?: proto.IMessage | undefined;
  /** The message as it was sent, where it was decrypted here. */
  bytes?: Uint8Array | undefined;
  /** The JIDs of the business, without a device. */
  own: string[];
  /** An earlier message, as far as changes and votes need it. */
  original: (waMessageId: string) => Original | undefined;
  /** The stanza's mark of a change; WhatsApp's server checks it. */
  edit?: string | undefined;
};

/**
 * Decodes a message for the journal. Undefined for protocol messages between devices, for changes by people who may not
 * make them, for further renditions of a known photo or video, and for statuses and channels.
 */
export function inboundOf(received: Received): InboundData | undefined {
  const { key, message, bytes, own, original, edit, accounts } = received;
  const envelope = envelopeOf(received);
  if (envelope === undefined || isKnownRendition(received)) return undefined;
  const { chat, sender, from_me: fromMe } = envelope;
  const known = contentOrUnreadable(message, {
    chat,
    writer: sender,
    fromMe,
    isOwn: (jid) => jid !== "" && own.some((name) => areJidsSameUser(name, jid)),
    chatOf: (jid) => accounts.chatOf(jid),
    original,
    isAdministrators: edit === "8",
    names: { writer: writersOf(key, own, accounts) },
  });
  const kind = known === undefined && bytes !== undefined ? unknownFieldIn(message, bytes) : undefined;
  const content = kind === undefined ? known : ({ type: "unknown", kind } satisfies MessageContent);
  if (content === undefined) return undefined;
  const stored = storedContent(content);
  return { ...envelope, ...stored, text: stored.text === null ? null : truncate(stored.text, maxText) };
}

/**
 * True if a message has another rendition of a photo or video that is in the journal. It is dropped, so that the chat
 * shows the photo once: the file in standard quality stays. Without its parent it is a message like any other.
 */
function isKnownRendition({ key, message, outer, own, original, accounts }: Received): boolean {
  const parentId = parentOfRendition(outer === undefined ? [message] : [outer, message]);
  const parent = parentId === undefined || parentId === key.id ? undefined : original(parentId);
  if (parent === undefined) return false;
  return writersOf(key, own, accounts).some((writer) => parent.authors.includes(writer));
}

/** All known JIDs of a message's writer, without a device. */
export function writersOf(key: WAMessageKey, own: string[], accounts: AccountNames): string[] {
  if (key.fromMe) return own;
  const names = key.participant ? [key.participant, key.participantAlt] : [key.remoteJid, key.remoteJidAlt];
  const named = names.flatMap((jid) => (jid ? [jidNormalizedUser(jid)] : []));
  return [...new Set(named.flatMap((jid) => [jid, ...accounts.namesOf(jid)]))];
}

/** The journal entry of a message whose content was not decoded. Undefined if it belongs to no chat. */
export function inboundWithout(
  received: Pick<Received, "key" | "timestampS" | "pushName" | "accounts">,
  content: MessageContent = unreadable,
): InboundData | undefined {
  const envelope = envelopeOf(received);
  return envelope && { ...envelope, ...storedContent(content) };
}

type Envelope = Pick<
  InboundData,
  "wa_message_id" | "chat" | "sender" | "from_me" | "push_name" | "timestamp" | "names"
>;

function envelopeOf({
  key,
  timestampS,
  pushName,
  accounts,
}: Pick<Received, "key" | "timestampS" | "pushName" | "accounts">): Envelope | undefined {
  if (!key.id || !key.remoteJid || !belongsToChat(key)) return undefined;
  if (key.id.length > maxId) return undefined;
  const sender = accounts.chatOf(
    key.participant ? preferPhone(key.participant, key.participantAlt) : preferPhone(key.remoteJid, key.remoteJidAlt),
  );
  // A broadcast list reaches each recipient as if its owner had written to them alone.
  const chat = isList(key.remoteJid) ? sender : accounts.chatOf(preferPhone(key.remoteJid, key.remoteJidAlt));
  if (!isJid(chat) || !isJid(sender)) return undefined;
  const names = [
    ...(isList(key.remoteJid) ? [] : aliasesOf(chat, [key.remoteJid, key.remoteJidAlt])),
    ...aliasesOf(sender, [key.participant, key.participantAlt]),
  ];
  return {
    wa_message_id: key.id,
    chat,
    sender,
    from_me: key.fromMe === true,
    ...(pushName ? { push_name: truncate(pushName, maxName) } : {}),
    timestamp: timeOf(timestampS),
    ...(names.length > 0 ? { names } : {}),
  };
}

/** The other names that WhatsApp's server gave an account beside its chat. */
function aliasesOf(chat: string, named: readonly (string | null | undefined)[]): AccountName[] {
  const aliases = new Set(named.flatMap((jid) => (jid ? [preferPhone(jid, undefined)] : [])));
  return [...aliases].flatMap((alias) => (alias === chat || !isJid(alias) ? [] : [{ alias, chat }]));
}

/** A message that our code cannot decode, or that killed the process. */
const unreadable: MessageContent = { type: "unknown", kind: "unreadable" };

/** Senders create message ids; phones use 20 to 32 characters. */
export const maxId = 128;
/** WhatsApp allows 25. */
export const maxName = 256;

/** WhatsApp's time in Unix ms; the current time if the stanza has none or a future one. */
function timeOf(seconds: number): number {
  const now = Date.now();
  const at = Math.trunc(seconds * 1000);
  return at >= 0 && at <= now + 86_400_000 ? at : now;
}

/** Content that our code cannot decode is kept as unreadable: it must neither be lost nor come again for ever. */
function contentOrUnreadable(message: proto.IMessage, incoming: Incoming): MessageContent | undefined {
  try {
    return incomingContent(message, incoming);
  } catch {
    return unreadable;
  }
}
