import { findReferences } from "../../../lib/db/index.ts";
import type {
  IdentifiedMessage,
  InboundMessage,
  NamedMessage,
  PlatformScope,
  ReferencedMessage,
} from "../../../lib/db/index.ts";
import { isChange, mayChange, referenceIn, withReferenceId } from "../../../lib/messages/index.ts";

export type Resolved = { messages: IdentifiedMessage[]; forged: IdentifiedMessage[] };

/**
 * Adds to each message that refers to another one (a reply, a reaction) the id of that row, if it exists. `forged`:
 * changes of messages that their authors may not change, which WhatsApp's clients ignore, too.
 */
export async function resolveReferences(scope: PlatformScope, messages: IdentifiedMessage[]): Promise<Resolved> {
  const named = messages.flatMap(namedIn);
  if (named.length === 0) return { messages, forged: [] };
  const rows = await findReferences(scope, named);
  const known = new Map<string, ReferencedMessage>(rows.map((row) => [keyOf({ ...row, chat: row.named_in }), row]));
  // Messages of the same batch have no rows yet.
  for (const message of messages) known.set(keyOf(message), { ...message, direction: directionOf(message) });
  const resolved: Resolved = { messages: [], forged: [] };
  for (const message of messages) {
    const [name] = namedIn(message);
    const target = name && known.get(keyOf(name));
    if (target === undefined || !message.content) resolved.messages.push(message);
    else if (isForged(message, target)) resolved.forged.push(message);
    else resolved.messages.push({ ...message, content: withReferenceId(message.content, target.id) });
  }
  return resolved;
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

const directionOf = ({ from_me }: InboundMessage) => (from_me ? "outbound" : "inbound");

function namedIn({ business_id, chat, content }: InboundMessage): NamedMessage[] {
  const reference = content ? referenceIn(content) : undefined;
  return reference ? [{ business_id, chat, wa_message_id: reference.wa_message_id }] : [];
}

const keyOf = ({ business_id, chat, wa_message_id }: NamedMessage) => `${business_id} ${chat} ${wa_message_id}`;
