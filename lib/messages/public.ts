import { z } from "zod";
import {
  contactContent,
  deleteContent,
  editContent,
  locationContent,
  pollContent,
  pollVoteContent,
  reactionContent,
  textContent,
  unknownContent,
} from "./content.ts";
import type { MessageContent } from "./content.ts";

/*
 * What a message says, as customers are shown it: messages are named by our ids, and WhatsApp's stay inside.
 */

const messageId = z.string().nullable();
const target = messageId.meta({ description: "The message that it is about; null where it is not one of ours." });
const reply_to = messageId.optional().meta({ description: "The message that it answers; null where it is not one of ours." });

/** The content of a message in the API's answers and in webhooks. */
export const publicContent = z
  .discriminatedUnion("type", [
    textContent.extend({ reply_to }),
    locationContent.extend({ reply_to }),
    contactContent.extend({ reply_to }),
    pollContent.extend({ reply_to }),
    reactionContent.extend({ target }),
    editContent.extend({ target }),
    deleteContent.extend({ target }),
    pollVoteContent.extend({ target }),
    unknownContent,
  ])
  .meta({ id: "MessageContent" });
export type PublicContent = z.infer<typeof publicContent>;

export function publicContentOf(content: MessageContent): PublicContent {
  if ("target" in content) return { ...content, target: content.target.id ?? null };
  if ("reply_to" in content && content.reply_to) return { ...content, reply_to: content.reply_to.id ?? null };
  return content as PublicContent;
}
