import type { MessageContent } from "../../../lib/messages/index.ts";

/** WhatsApp's own limit for a text, in UTF-16 units. */
export const maxText = 65_536;
/** Other input of people: names, addresses, questions, options. */
const maxPhrase = 1_024;
/** WhatsApp sends at most 257 contacts in one message, and fewer of anything else. */
export const maxItems = 257;
/** A card has a few numbers. */
const maxPhones = 50;
/** Nesting of content: a message, its contacts, their numbers. */
const maxDepth = 5;

const texts: ReadonlySet<string> = new Set(["text", "caption"]);
/** A quote shows the beginning of the message. */
const maxQuote = 4_096;

/** Characters of a sender-controlled id in a log line. */
export const maxLoggedId = 128;
/** Characters of an error message in a log line: some quote what a sender wrote. */
export const maxLoggedError = 500;

/** The beginning of a text, without splitting a surrogate pair. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = text.charCodeAt(max - 1);
  return text.slice(0, end >= 0xd800 && end <= 0xdbff ? max - 1 : max);
}

/**
 * Bounds every part of content, even of a malicious sender: truncates long values and replaces invalid numbers by 0.
 * Everything behind the journal may rely on it.
 */
export function boundedContent(content: MessageContent): MessageContent {
  return bounded(content, "", 0) as MessageContent;
}

function bounded(value: unknown, name: string, depth: number): unknown {
  if (typeof value === "string") return truncate(value, lengthOf(name, depth));
  if (typeof value === "number") return Number.isFinite(value) ? value : 0;
  if (typeof value !== "object" || value === null || depth >= maxDepth)
    return typeof value === "object" ? undefined : value;
  if (Array.isArray(value)) {
    return value.slice(0, name === "phones" ? maxPhones : maxItems).map((item) => bounded(item, "", depth + 1));
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, bounded(member, key, depth + 1)]));
}

/** A quote's text is one level deeper than the message's own. */
function lengthOf(name: string, depth: number): number {
  if (!texts.has(name)) return name === "direct_path" ? 2_048 : maxPhrase;
  return depth <= 1 ? maxText : maxQuote;
}
