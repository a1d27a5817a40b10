import type { MessageContent } from "./content.ts";
import type { Reference } from "./reference.ts";

/** The message that a content is about: what it answers, changes, or reacts to. */
export function referenceIn(content: MessageContent): Reference | undefined {
  if ("target" in content) return content.target;
  return "reply_to" in content ? content.reply_to : undefined;
}

/** The same content, with the row of the message that it is about. */
export function withReferenceId<C extends MessageContent>(content: C, id: string): C {
  if ("target" in content) return { ...content, target: { ...content.target, id } };
  if ("reply_to" in content && content.reply_to) return { ...content, reply_to: { ...content.reply_to, id } };
  return content;
}
