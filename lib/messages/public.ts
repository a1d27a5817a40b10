import { z } from "zod";
import { publicAttachment, publicAttachmentOf } from "./attachment.ts";
import type { MediaLinks } from "./attachment.ts";
import {
  audioContent,
  contactContent,
  deleteContent,
  documentContent,
  editContent,
  imageContent,
  locationContent,
  pollContent,
  pollVoteContent,
  reactionContent,
  stickerContent,
  textContent,
  unavailableContent,
  unknownContent,
  videoContent,
} from "./content.ts";
import type { MessageContent } from "./content.ts";

/*
 * The content of a message as customers see it: it names messages by our ids, never by WhatsApp's.
 */

const messageId = z.string().nullable();
const target = messageId.meta({ description: "The message that it is about; null where it is not one of ours." });
const reply_to = messageId
  .optional()
  .meta({ description: "The message that it answers; null where it is not one of ours." });

const selection = z
  .string()
  .optional()
  .meta({ description: "The id of the button or list row that the sender chose. `text` has its words." });
const reason = z.string().meta({
  description:
    "Why the content is not available: `view_once` (WhatsApp shows it on the phone only), `bot`, `hosted`, " +
    "`not_resent` (only the phone has it and has not resent it) or `undecryptable`. If the content arrives later, it " +
    "is added to the message and `message.completed` is published.",
});

const shown = { media: publicAttachment, reply_to };

/** The content of a message in the API's answers and in webhooks. */
export const publicContent = z
  .discriminatedUnion("type", [
    textContent.extend({ selection, reply_to }),
    imageContent.extend(shown),
    videoContent.extend(shown),
    audioContent.extend(shown),
    documentContent.extend(shown),
    stickerContent.extend(shown),
    locationContent.extend({ reply_to }),
    contactContent.extend({ reply_to }),
    pollContent.extend({ reply_to }),
    reactionContent.extend({ target }),
    editContent.extend({ target }),
    deleteContent.extend({ target }),
    pollVoteContent.extend({ target }),
    unavailableContent.extend({ reason }),
    unknownContent,
  ])
  .meta({ id: "MessageContent" });
export type PublicContent = z.infer<typeof publicContent>;

export function publicContentOf(content: MessageContent, links: MediaLinks): PublicContent {
  const file = "media" in content ? { media: publicAttachmentOf(content.media, links) } : {};
  if ("target" in content) return { ...content, target: content.target.id ?? null };
  const reply_to = "reply_to" in content && content.reply_to ? { reply_to: content.reply_to.id ?? null } : {};
  return { ...content, ...file, ...reply_to } as PublicContent;
}
