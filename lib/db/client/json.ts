/** Escapes of a JSON text, one by one: an escaped backslash is consumed, so that what follows it is no escape. */
const escapes = /\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g;

/**
 * JSON for a bulk statement. Text of strangers may hold U+0000, which Postgres refuses, or half a surrogate pair, which
 * is not text; one such message must not keep the whole batch out. Both are replaced by U+FFFD, in values and in names.
 */
export function toJson(value: unknown): string {
  const json = JSON.stringify(value);
  // JSON.stringify escapes exactly these two; pairs of surrogates it leaves as they are.
  if (!json.includes("\\u0000") && !json.includes("\\ud")) return json;
  return json.replaceAll(escapes, (escape) => (escape.length === 6 ? "\uFFFD" : escape));
}
