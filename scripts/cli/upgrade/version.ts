import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Parses an exact version. A tag, a range or an address can resolve to another package tomorrow. */
export function exactVersion(text: string): string {
  if (/^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z][0-9A-Za-z.-]{0,63})?$/.test(text)) return text;
  throw new InvalidArgumentError("Give an exact version such as 7.0.0 or 7.0.0-rc14.");
}
