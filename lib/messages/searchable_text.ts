import type { MessageContent } from "./content.ts";

/** The text of a message for lists and searches; null if it has none. */
export function searchableText(content: MessageContent): string | null {
  switch (content.type) {
    case "text":
    case "edit":
      return content.text;
    case "image":
    case "video":
      return content.caption ?? null;
    case "document":
      return content.caption ?? content.file_name ?? null;
    case "location":
      return content.name ?? content.address ?? null;
    case "contact":
      return content.contacts.map(({ name }) => name).join(", ");
    case "poll":
      return content.question;
    case "reaction":
      return content.emoji;
    case "poll_vote":
      return content.options?.join(", ") ?? null;
    case "unknown":
      return content.text ?? null;
    case "audio":
    case "sticker":
    case "delete":
    case "unavailable":
      return null;
  }
}
