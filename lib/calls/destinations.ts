import { z } from "zod";

/**
 * A rule about destinations: `+44` allows numbers with this prefix, `!+4490` denies them, `own` allows the country
 * calling code of the calling number, `*` allows every number. The longest prefix that matches decides.
 */
export const destinationRule = z
  .string()
  .regex(/^(own|\*|!?\+[1-9]\d{0,14})$/, 'must be "own", "*", or a prefix such as "+44" or "!+4490"');

/** Maximum number of rules of a business or of the platform. */
export const maxDestinationRules = 100;

/** Country calling codes of one and of two digits; all others have three (ITU-T E.164). */
const shortCodes = new Set(
  (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 " +
    "86 90 91 92 93 94 95 98"
  ).split(" "),
);

/** Returns the country calling code of an E.164 number, with the plus sign. */
export function callingCodeOf(number: string): string {
  const digits = number.slice(1);
  const code = [1, 2].map((length) => digits.slice(0, length)).find((prefix) => shortCodes.has(prefix));
  return `+${code ?? digits.slice(0, 3)}`;
}

/** True if `rules` allow a call or transfer from `from`, a number of the business, to `to`; both are E.164. */
export function mayDial(rules: readonly string[], { from, to }: { from: string; to: string }): boolean {
  const prefixes = rules.map((rule) => {
    if (rule === "*") return { prefix: "", allowed: true };
    if (rule === "own") return { prefix: callingCodeOf(from), allowed: true };
    return { prefix: rule.replace("!", ""), allowed: !rule.startsWith("!") };
  });
  // At the same length a denial wins.
  const order = (rule: { prefix: string; allowed: boolean }) => rule.prefix.length * 2 + (rule.allowed ? 0 : 1);
  const [decisive] = prefixes.filter(({ prefix }) => to.startsWith(prefix)).toSorted((a, b) => order(b) - order(a));
  return decisive?.allowed ?? false;
}
