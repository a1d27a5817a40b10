import {
  areJidsSameUser,
  decodeMessageNode,
  isJidStatusBroadcast,
  isLidUser,
  isPnUser,
  jidDecode,
  jidNormalizedUser,
  proto,
  unpadRandomMax16,
} from "@whiskeysockets/baileys";
import type { BinaryNode, Contact, WAMessage, WAMessageKey } from "@whiskeysockets/baileys";
import type { InboundData } from "../../../lib/contracts/shard/schemas.ts";
import type { AccountNames } from "../accounts/account_book.ts";
import { timerIn } from "../codec/disappearing.ts";
import { ownJidsOf } from "../codec/jid.ts";
import { keptOf } from "../codec/original.ts";
import type { Original } from "../codec/original.ts";
import { hasAsidesOnly } from "../codec/unknown_fields.ts";
import { unwrapped } from "../codec/unwrap.ts";
import { inboundOf, writersOf } from "./inbound.ts";
import type { Placeholder } from "./placeholders.ts";
import type { ReceivedStatus } from "./statuses.ts";

/** A decoded message, and what to keep of it besides. */
export type Decoded = {
  data: InboundData;
  /** The part that later changes and votes need, see `keptOf`. */
  original?: { message: Uint8Array; authors: string[] } | undefined;
  /** The message as it was encoded, to decode it again later. */
  bytes?: Uint8Array | undefined;
};

/** A decoded plaintext. `filled`: the placeholders whose content it has, even where that belongs in no journal. */
export type DecodedPlaintext = { messages: Decoded[]; filled: string[] };

type Options = {
  me: Contact;
  accounts: AccountNames;
  original: (waMessageId: string) => Original | undefined;
  placeholder: (id: string) => Placeholder | undefined;
  /** A message shows the timer of its chat's disappearing messages, in seconds. */
  onTimer: (chat: string, seconds: number) => void;
  /** A message is a status. */
  onStatus: (status: ReceivedStatus) => void;
  /** The phone shares a history. */
  onHistory: (notification: proto.Message.IHistorySyncNotification) => void;
};

type Message = Pick<WAMessage, "key" | "messageTimestamp" | "pushName" | "message"> & {
  bytes?: Uint8Array;
  fills?: string | undefined;
  /** The message around `message`. */
  outer?: proto.IMessage;
  edit?: string | undefined;
};

/** The envelope of a stanza, as Baileys reads it. */
export function envelopeOf(stanza: BinaryNode, me: Contact) {
  const { fullMessage } = decodeMessageNode(stanza, me.id, me.lid ?? "");
  const { key } = fullMessage;
  // Baileys compares the writer to a broadcast list with the business's number alone, and WhatsApp may name the LID.
  if (key.participant && ownJidsOf(me).includes(jidNormalizedUser(key.participant))) key.fromMe = true;
  return fullMessage;
}

/**
 * Decodes a plaintext: the message, and messages that the phone resends in it.
 * @throws if its sender encoded it wrongly.
 */
export function decodePlaintext(stanza: BinaryNode, plaintext: Uint8Array, options: Options): DecodedPlaintext {
  const { me, placeholder, accounts } = options;
  const fullMessage = envelopeOf(stanza, me);
  const bytes = unpadRandomMax16(plaintext);
  const outer = proto.Message.decode(bytes);
  const message = outer.deviceSentMessage?.message ?? outer;
  if (isJidStatusBroadcast(fullMessage.key.remoteJid ?? "")) {
    options.onStatus({ ...fullMessage, message });
    return { messages: [], filled: [] };
  }
  const missing = missingOf(fullMessage.key, placeholder, accounts);
  const { edit } = stanza.attrs;
  const messageTimestamp = missing?.at ?? fullMessage.messageTimestamp ?? null;
  const first: Message = { ...fullMessage, messageTimestamp, message, outer, bytes, edit, fills: missing?.id };
  const ofPhone = isFromOwnPhone(stanza, fullMessage.key);
  const history = message.protocolMessage?.historySyncNotification;
  if (ofPhone && history) options.onHistory(history);
  const resent = ofPhone ? resentIn(message, options) : [];
  const timer = stanza.attrs["category"] === "peer" ? undefined : timerIn(message);
  if (timer !== undefined && fullMessage.key.remoteJid) options.onTimer(fullMessage.key.remoteJid, timer);
  // Messages between the phone and its companions belong to no chat.
  const messages = stanza.attrs["category"] === "peer" ? resent : [first, ...resent];
  return {
    messages: messages.flatMap((each) => decoded(each, options) ?? []),
    // The key to a group's messages comes in a ciphertext of its own, before the message.
    filled: messages.flatMap(({ fills, message: content }) => (fills && !hasAsidesOnly(content ?? {}) ? [fills] : [])),
  };
}

/** The placeholder that a message fills: the same id in the same chat, of the same member of a group. */
function missingOf(
  key: WAMessageKey,
  placeholder: Options["placeholder"],
  accounts: AccountNames,
): Placeholder | undefined {
  const missing = key.id ? placeholder(key.id) : undefined;
  if (missing === undefined) return undefined;
  const namesOf = (jids: (string | null | undefined)[]) =>
    jids.flatMap((jid) => (jid ? [jid, ...accounts.namesOf(jid)] : []));
  const isSame = (jids: (string | null | undefined)[], others: (string | null | undefined)[]) =>
    namesOf(jids).some((jid) => namesOf(others).some((other) => areJidsSameUser(jid, other)));
  const { key: known } = missing;
  if (!isSame([key.remoteJid, key.remoteJidAlt], [known.remoteJid, known.remoteJidAlt])) return undefined;
  if (!known.participant) return missing;
  const members = [known.participant, known.participantAlt];
  return isSame([key.participant, key.participantAlt], members) ? missing : undefined;
}

/** Messages that the phone resends for our placeholders. */
function resentIn({ protocolMessage }: proto.IMessage, { placeholder }: Options): Message[] {
  const results = protocolMessage?.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
  return results.flatMap(({ placeholderMessageResendResponse: response }): Message[] => {
    if (!response?.webMessageInfoBytes) return [];
    const { key, message, messageTimestamp, pushName } = proto.WebMessageInfo.decode(response.webMessageInfoBytes);
    // The placeholder names the chat as its other messages do; the phone may use another of its JIDs.
    const requested = key?.id ? placeholder(key.id) : undefined;
    if (!message || (!requested && !key)) return [];
    return [
      {
        key: requested ? withNumber(requested.key, key?.remoteJid) : key!,
        message,
        // The row of the placeholder is found by its time.
        messageTimestamp: requested?.at ?? messageTimestamp ?? null,
        pushName: requested?.push_name ?? pushName ?? null,
        fills: requested?.id,
      },
    ];
  });
}

/** The key with the number of a chat that was known by its LID alone. The business's own phone names it. */
function withNumber(key: WAMessageKey, phonesName: string | null | undefined): WAMessageKey {
  const isRevealed = isLidUser(key.remoteJid ?? undefined) === true && isPnUser(phonesName ?? undefined) === true;
  return isRevealed && !key.remoteJidAlt ? { ...key, remoteJidAlt: phonesName! } : key;
}

function decoded(each: Message, { me, original, accounts }: Options): Decoded | undefined {
  const { key, messageTimestamp, pushName, message, bytes, outer, edit } = each;
  if (!message) return undefined;
  const own = ownJidsOf(me);
  const timestampS = Number(messageTimestamp);
  const data = inboundOf({ key, timestampS, pushName, message, outer, bytes, own, original, edit, accounts });
  if (data === undefined) return undefined;
  const kept = keptOf(outer ?? message, unwrapped(message).content);
  return { data, original: kept && { message: kept, authors: writersOf(key, own, accounts) }, bytes };
}

/** A message between the phone and this companion. WhatsApp's server lets no one else send one. */
function isFromOwnPhone({ attrs }: BinaryNode, { fromMe }: WAMessageKey): boolean {
  return fromMe === true && attrs["category"] === "peer" && (jidDecode(attrs["from"])?.device ?? 0) === 0;
}
