/*
 * The rule for text at every edge: well-formed Unicode without U+0000. Postgres refuses U+0000, and a lone surrogate has
 * no UTF-8: whatever encodes it next would replace it. Requests are refused (faultOfText); what cannot be refused,
 * because it was delivered already, is stored with U+FFFD in place of such characters (toStorable).
 */

/** Why a text cannot be taken; undefined where it can. */
export function faultOfText(text: string): string | undefined {
  if (text.includes("\u0000")) return "must not contain the character U+0000";
  if (!text.isWellFormed()) return "must not contain half a surrogate pair";
  return undefined;
}

/** The text with U+FFFD for what cannot be stored. */
export function toStorable(text: string): string {
  return text.replaceAll("\u0000", "\uFFFD").toWellFormed();
}
