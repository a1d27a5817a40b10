import { isPnUser, jidNormalizedUser } from "@whiskeysockets/baileys";
import { AppError } from "../../lib/core/errors.ts";

const phoneForm = /^[1-9]\d{6,14}$/;
const jidForm = /^[\w.-]{1,64}@(s\.whatsapp\.net|lid|g\.us)$/;

/** The chat that a recipient names: digits in international form, or the JID of a person or a group. */
export function chatOf(to: string): string {
  if (phoneForm.test(to)) return `${to}@s.whatsapp.net`;
  if (jidForm.test(to)) return to;
  throw new AppError("invalid_request", `"to" must be 7 to 15 digits in international form, or a JID.`);
}

/** Of the two names of one person, the phone number where it is known; without the device. */
export function preferPhone(jid: string, alternative: string | null | undefined): string {
  if (alternative && isPnUser(alternative) && !isPnUser(jid)) return jidNormalizedUser(alternative);
  return jidNormalizedUser(jid);
}
