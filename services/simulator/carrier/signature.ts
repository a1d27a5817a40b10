import { createHmac } from "node:crypto";

/*
 * The carrier's own signing, written from Twilio's documentation and independent of the calls service's: with shared
 * code a mistake in it would agree with itself.
 */

/** X-Twilio-Signature of a form posted to `url`; for a WebSocket upgrade, of no form at all. */
export function sign(authToken: string, url: string, form?: URLSearchParams): string {
  let text = url;
  const names = [...new Set(form?.keys() ?? [])].sort();
  for (const name of names) {
    const values = [...new Set(form!.getAll(name))].sort();
    for (const value of values) text += name + value;
  }
  return createHmac("sha1", authToken).update(text).digest("base64");
}
