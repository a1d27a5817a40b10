import { z } from "zod";

/**
 * A rule about destinations: `+44` allows numbers with this prefix, `!+4490` denies them, `own` allows the country of
 * the calling number, `*` allows every number. The longest prefix that matches decides.
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

/**
 * Area codes of +1 that `own` treats as countries apart, because calls to them cost many times a call within the United
 * States and Canada: one line a country, and premium rate (900).
 */
const areasApart: readonly (readonly string[])[] =
  "242 246 264 268 284 340 345 441 473 649 664 670 671 684 721 758 767 784 868 869 658,876 787,939 809,829,849 900"
    .split(" ")
    .map((areas) => areas.split(","));

/** The prefixes of the country of an E.164 number, with the plus sign: its calling code, or area codes of +1. */
export function countryPrefixes(number: string): string[] {
  const digits = number.slice(1);
  const code = [1, 2].map((length) => digits.slice(0, length)).find((prefix) => shortCodes.has(prefix));
  const apart = code === "1" ? areasApart.find((areas) => areas.includes(digits.slice(1, 4))) : undefined;
  return apart?.map((area) => `+1${area}`) ?? [`+${code ?? digits.slice(0, 3)}`];
}

/** True if `rules` allow a call or transfer from `from`, a number of the business, to `to`; both are E.164. */
export function mayDial(rules: readonly string[], { from, to }: { from: string; to: string }): boolean {
  const own = countryPrefixes(from);
  const isOwn = own[0] === countryPrefixes(to)[0];
  const prefixes = rules.flatMap((rule) => {
    if (rule === "*") return { prefix: "", allowed: true };
    if (rule === "own") return isOwn ? own.map((prefix) => ({ prefix, allowed: true })) : [];
    return { prefix: rule.replace("!", ""), allowed: !rule.startsWith("!") };
  });
  // At the same length a denial wins.
  const order = (rule: { prefix: string; allowed: boolean }) => rule.prefix.length * 2 + (rule.allowed ? 0 : 1);
  const [decisive] = prefixes.filter(({ prefix }) => to.startsWith(prefix)).toSorted((a, b) => order(b) - order(a));
  return decisive?.allowed ?? false;
}
