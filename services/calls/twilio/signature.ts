import { createHmac } from "node:crypto";
import { safeEqual } from "../../../lib/core/secret.ts";

/** A form's fields in the order sent. A name may be repeated. */
export type FormFields = readonly (readonly [name: string, value: string])[];

/**
 * Computes the carrier's signature of a request: base64 of the HMAC-SHA1, under the account's token, of the URL and
 * every field's name and value, sorted by name. The distinct values of a repeated name are sorted and count once each.
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

/**
 * Returns the variants of a URL that the carrier may have signed, because it is inconsistent about the port. Path and
 * query are not normalised, because the carrier signs the bytes that it sends.
 */
function signedForms(url: string): string[] {
  const path = url.indexOf("/", url.indexOf("//") + 2);
  const [origin, target] = path < 0 ? [url, ""] : [url.slice(0, path), url.slice(path)];
  const { protocol, hostname, port } = new URL(origin);
  return [`:${port || standardPorts[protocol]}`, ""].map((suffix) => `${protocol}//${hostname}${suffix}${target}`);
}

export type SignedRequest = {
  /** The account's tokens. During a rotation the carrier may sign with either. */
  authTokens: readonly string[];
  /** The public URL that the carrier called. */
  url: string;
  fields: FormFields;
  signature: string;
};

/** True if the carrier signed this request. Compares in constant time. */
export function isSigned({ authTokens, url, fields, signature }: SignedRequest): boolean {
  // Compares every variant under every token, so that the time taken does not reveal which one matched.
  return authTokens
    .flatMap((authToken) => signedForms(url).map((form) => safeEqual(signatureOf(authToken, form, fields), signature)))
    .includes(true);
}

/**
 * Returns the path and query that the carrier requested, byte for byte. Bun and Hono only have the normalised URL, so
 * the edge passes the original in X-Original-URI. The header is ignored if its path is not the path being served.
 */
export function requestTarget(request: Request): string {
  const { pathname, search } = new URL(request.url);
  const original = request.headers.get("x-original-uri");
  if (original === null || !original.startsWith("/") || !URL.canParse(`http://host${original}`))
    return `${pathname}${search}`;
  return new URL(`http://host${original}`).pathname === pathname ? original : `${pathname}${search}`;
}
