/** E.164: 7 to 15 digits, of which the first is not zero. */
const digitsForm = /^[1-9]\d{6,14}$/;

/** Longer text is no phone number, whatever its separators. */
const maxLength = 64;

/** Characters of a refused value that an error message repeats. */
const maxQuoted = 40;

/** Unicode's direction marks and isolates. Address books and chats put them around numbers they copy. */
const directionMarks = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** Dashes of every width, dots, and spaces of every width, also those that do not break. */
const separators = /[-\u2010-\u2015\u2212.\s\u00A0\u2000-\u200A\u202F\u3000]/g;

/** WhatsApp's two ways to write a number as an address. */
const addressSuffix = /@(c\.us|s\.whatsapp\.net)$/;

/**
 * The digits of a phone number as people keep it: with a plus sign, spaces, dashes, dots, brackets, direction marks, or
 * as WhatsApp's address. Undefined for anything else. Refuses a national prefix in brackets, as in `+44 (0) 20`:
 * its zero is no part of the international number. Takes time linear in the text.
 */
export function phoneDigitsOf(text: string): string | undefined {
  if (digitsForm.test(text)) return text;
  if (text.length > maxLength) return undefined;
  const bare = text.replace(directionMarks, "").trim().replace(addressSuffix, "").replace(separators, "");
  const opened = bare.indexOf("(");
  const digits = opened < 0 ? bare : withoutBrackets(bare, opened);
  if (digits === undefined) return undefined;
  const number = digits.startsWith("+") ? digits.slice(1) : digits;
  return digitsForm.test(number) ? number : undefined;
}

/** The text without its one pair of brackets, which hold an area or country code. */
function withoutBrackets(text: string, opened: number): string | undefined {
  const closed = text.indexOf(")", opened);
  const inside = text.slice(opened + 1, closed);
  if (closed < 0 || !/^\+?[1-9]\d*$/.test(inside)) return undefined;
  return text.slice(0, opened) + inside + text.slice(closed + 1);
}

/** Why a value is no phone number, with the value and an example. */
export function notAPhoneNumber(text: string): string {
  const quoted = text.length > maxQuoted ? `${text.slice(0, maxQuoted)}…` : text;
  return (
    `must be a phone number in international form (7 to 15 digits with the country code), ` +
    `such as +55 11 98765-4321; got ${JSON.stringify(quoted)}`
  );
}
