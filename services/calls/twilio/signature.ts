import { createHmac } from "node:crypto";
import { safeEqual } from "../../../lib/core/secret.ts";

/** A form's fields in the order they were sent; a name may come more than once. */
export type FormFields = readonly (readonly [name: string, value: string])[];

/**
 * The carrier's signature of a request: base64 of HMAC-SHA1, under the account's token, of the URL it called and
 * every field's name and value, sorted by name. Of a repeated name each different value counts once, sorted.
 */
export function signatureOf(authToken: string, url: string, fields: FormFields): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of fields) values.set(name, (values.get(name) ?? new Set()).add(value));
  const text = [...values]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, set]) => [...set].toSorted().map((value) => name + value))
    .join("");
  return createHmac("sha1", authToken)
    .update(url + text, "utf8")
    .digest("base64");
}

const standardPorts: Record<string, string> = { "https:": "443", "http:": "80", "wss:": "443", "ws:": "80" };

/** The forms under which the carrier may have signed a URL: it is not consistent about the port. */
function signedForms(url: string): string[] {
  const parsed = new URL(url);
  const authority = (port: string) => `${parsed.protocol}//${parsed.hostname}${port}${parsed.pathname}${parsed.search}`;
  return [authority(`:${parsed.port || standardPorts[parsed.protocol]}`), authority("")];
}

export type SignedRequest = {
  authToken: string;
  /** The URL the carrier called, as seen from outside. */
  url: string;
  fields: FormFields;
  signature: string;
};

/** Whether the carrier sent this; compared in constant time. */
export function isSigned({ authToken, url, fields, signature }: SignedRequest): boolean {
  // Both forms are compared every time, so that the time taken does not tell which one was near.
  return signedForms(url)
    .map((form) => safeEqual(signatureOf(authToken, form, fields), signature))
    .includes(true);
}
