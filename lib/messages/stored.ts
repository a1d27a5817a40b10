import { messageContent } from "./content.ts";
import type { MessageContent } from "./content.ts";
import { searchableText } from "./searchable_text.ts";

/** A message's content as its row has it. `content` is null where `type` and `text` say it all: for a plain text. */
export type StoredContent = { type: string; text: string | null; content: MessageContent | null };

export function storedContent(content: MessageContent): StoredContent {
  const plain = content.type === "text" && content.reply_to === undefined && content.selection === undefined;
  return { type: content.type, text: searchableText(content), content: plain ? null : content };
}

/** The content of a row. One that this version cannot read is "unknown", never an error. */
export function contentOf(row: { type: string; text: string | null; content: unknown }): MessageContent {
  if (row.content === null && row.type === "text") return { type: "text", text: row.text ?? "" };
  return messageContent.safeParse(row.content).data ?? { type: "unknown", kind: row.type };
}
