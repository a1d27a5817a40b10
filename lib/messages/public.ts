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

const shown = { media: publicAttachment, reply_to };

/** The content of a message in the API's answers and in webhooks. */
export const publicContent = z
  .discriminatedUnion("type", [
    textContent.extend({ reply_to }),
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
