/**
 * JSON for a bulk statement. What comes from strangers may hold what Postgres cannot (U+0000) or what is no text at
 * all (half a surrogate pair); one such message must not keep the whole batch out, so these characters are replaced.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "string" ? member.replaceAll("\u0000", "\uFFFD").toWellFormed() : member,
  );
}
