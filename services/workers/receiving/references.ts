import { findReferences } from "../../../lib/db/index.ts";
import type {
  IdentifiedMessage,
  InboundMessage,
  NamedMessage,
  PlatformScope,
  ReferencedMessage,
} from "../../../lib/db/index.ts";
import { isChange, mayChange, referenceIn, withReferenceId } from "../../../lib/messages/index.ts";
import type { Reference } from "../../../lib/messages/index.ts";

export type Resolved = { messages: IdentifiedMessage[]; forged: number };

/**
 * Adds to each message that refers to another one (a reply, a reaction) the id of that row, if it exists. `forged`
 * counts changes of messages that their authors may not change. They are kept without that id, so that they change
 * nothing: the message that they name may be one that we never received.
 */
export async function resolveReferences(scope: PlatformScope, messages: IdentifiedMessage[]): Promise<Resolved> {
  const named = new Map(messages.flatMap(namedIn).map((name) => [keyOf(name), name]));
  if (named.size === 0) return { messages, forged: 0 };
  // Messages of the same batch have no rows yet. Stored rows come first: a later message may copy the id of one.
  const batch = messages.map<ReferencedMessage>((message) => ({ ...message, direction: directionOf(message) }));
  const known = Map.groupBy<string, ReferencedMessage>(
    [...(await findReferences(scope, [...named.values()])), ...batch.filter((message) => named.has(keyOf(message)))],
    keyOf,
  );
  let forged = 0;
  const resolved = messages.map((message) => {
    const reference = message.content ? referenceIn(message.content) : undefined;
    if (reference === undefined || !message.content) return message;
    const target = targetOf(message, reference, known.get(keyOf({ ...message, ...reference })) ?? []);
    if (target === undefined) return message;
    if (!isForged(message, target)) return { ...message, content: withReferenceId(message.content, target.id) };
    forged += 1;
    return message;
  });
  return { messages: resolved, forged };
}

/**
 * The message of the same chat and author, else of the same chat, else any: a private answer may quote a message of a
 * group.
 */
function targetOf(
  message: IdentifiedMessage,
  reference: Reference,
  candidates: ReferencedMessage[],
): ReferencedMessage | undefined {
  const inChat = candidates.filter(({ chat }) => chat === message.chat);
  return inChat.find((target) => isByNamedAuthor(message, reference, target)) ?? inChat[0] ?? candidates[0];
}

/** True if the target's author is the one that the message names: of an edit, its own author. */
function isByNamedAuthor(message: IdentifiedMessage, reference: Reference, target: ReferencedMessage): boolean {
  const { content } = message;
  const byAdministrator = content?.type === "delete" && content.by_administrator === true;
  if (content?.type === "edit" || (content?.type === "delete" && !byAdministrator)) return !isForged(message, target);
  if (reference.from_me) return target.direction === "outbound";
  return target.direction === "inbound" && (reference.sender === undefined || reference.sender === target.sender);
}

function isForged(message: IdentifiedMessage, target: ReferencedMessage): boolean {
  const { content, chat, sender } = message;
  return (
    content !== null &&
    content !== undefined &&
    isChange(content) &&
    !mayChange({ content, chat, sender, direction: directionOf(message) }, target)
  );
}

const directionOf = ({ from_me }: InboundMessage): "inbound" | "outbound" => (from_me ? "outbound" : "inbound");

function namedIn({ business_id, content }: InboundMessage): NamedMessage[] {
  const reference = content ? referenceIn(content) : undefined;
  return reference ? [{ business_id, wa_message_id: reference.wa_message_id }] : [];
}

const keyOf = ({ business_id, wa_message_id }: NamedMessage) => `${business_id} ${wa_message_id}`;
