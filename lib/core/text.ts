/*
 * The rule for text at every edge: well-formed Unicode without U+0000. Postgres refuses U+0000. A lone surrogate has no
 * UTF-8 form, so the next encoder would replace it. Requests that break the rule are refused (`faultOfText`). Messages
 * that WhatsApp has already delivered cannot be refused: they are stored with U+FFFD instead (`toStorable`).
 */

/** Returns the reason to refuse a text; undefined if it is valid. */
export function faultOfText(text: string): string | undefined {
  if (text.includes("\u0000")) return "must not contain the character U+0000";
  if (!text.isWellFormed()) return "must not contain half a surrogate pair";
  return undefined;
}

/** Replaces the characters that cannot be stored by U+FFFD. */
export function toStorable(text: string): string {
  return text.replaceAll("\u0000", "\uFFFD").toWellFormed();
}
