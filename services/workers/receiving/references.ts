import { findReferences } from "../../../lib/db/index.ts";
import type { InboundMessage, NamedMessage, IdentifiedMessage, PlatformScope } from "../../../lib/db/index.ts";
import { referenceIn, withReferenceId } from "../../../lib/messages/index.ts";

/** Adds to each message that refers to another one (a reply, a reaction) the id of that row, if it exists. */
export async function resolveReferences(
  scope: PlatformScope,
  messages: IdentifiedMessage[],
): Promise<IdentifiedMessage[]> {
  const named = messages.flatMap(namedIn);
  if (named.length === 0) return messages;
  const rows = await findReferences(scope, named);
  // Messages of the same batch have no rows yet.
  const ids = new Map([...messages, ...rows].map((row) => [keyOf(row), row.id]));
  return messages.map((message) => {
    const [about] = namedIn(message);
    const id = about && ids.get(keyOf(about));
    return id !== undefined && message.content
      ? { ...message, content: withReferenceId(message.content, id) }
      : message;
  });
}

function namedIn({ business_id, content }: InboundMessage): NamedMessage[] {
  const reference = content ? referenceIn(content) : undefined;
  return reference ? [{ business_id, wa_message_id: reference.wa_message_id }] : [];
}

const keyOf = ({ business_id, wa_message_id }: NamedMessage) => `${business_id} ${wa_message_id}`;
